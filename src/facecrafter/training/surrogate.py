"""The surrogate, on the attributes of public faces, from features of a given encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facecrafter.data.faces import Faces
from facecrafter.errors import DataError
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import stream
from facecrafter.training.basis import Networks
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.types import Features, Images

PIECE = 256  # faces passed through a network at once; of no influence on the result


@dataclass(frozen=True)
class SurrogateTraining:
    """Train a surrogate from scratch. `fit` returns it in evaluation mode."""

    widths: tuple[int, int, int] = (96, 128, 192)  # ours
    epochs: int = 10  # ours
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    bfloat16: bool = False  # mixed precision; ours
    # what it learns of the faces' attributes; empty = all. Fewer than the cloud's: then the others
    # tell what a defence that rests on it does to questions that nobody foresaw
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_counts(self, "widths", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")

    def fit(
        self,
        encode: Callable[[Images], Features],
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        unfolded: Networks | None = None,
    ) -> Surrogate:
        """`encode`: Enc, which a device has. Faces without attributes are left out.

        `unfolded`: the "target" as it was before its batch norms were folded, for checkpoints to
        know it by; a fold has other last bits on another device.
        Raises `DataError` where no face has attributes.
        """
        known = faces.take(faces.known())
        known = known.only(self.attributes) if self.attributes else known
        if not known.attribute_names or len(known) == 0:
            raise DataError("no face has attributes: the surrogate learns from them.")
        place = torch.device(device)
        torch.manual_seed(stream(seed, "surrogate weights").initial_seed())
        with torch.no_grad():
            channels = encode(known.images([0]).to(place)).shape[1]
        surrogate = Surrogate(channels, len(known.attribute_names), self.widths).to(place)
        optimiser = torch.optim.AdamW(surrogate.parameters(), self.rate, weight_decay=self.decay)
        labels = torch.from_numpy(np.ascontiguousarray(known.attributes))
        steps = len(known) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(known), self.batch, i, lambda e: stream(seed, "surrogate", e))
            images = varied(batch_of(known, chosen, place), stream(seed, "surrogate view", i))
            with mixed(place, self.bfloat16):
                with torch.no_grad():
                    features = encode(images)
                logits = surrogate(features)
            loss = binary_cross_entropy_with_logits(logits.float(), labels[chosen].to(place))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if i + 1 == steps:
                _measure_spread(surrogate, encode, known, place)
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(known)}"
        modules, optimisers = {"surrogate": surrogate}, {"adam": optimiser}
        rests_on = {"faces": known, "target": encode, **(unfolded or {})}
        run(Job("surrogate", steps, step, modules, optimisers, recipe, rests_on), folder)
        return surrogate.eval()


def _measure_spread(
    surrogate: Surrogate, encode: Callable[[Images], Features], faces: Faces, device: torch.device
) -> None:
    """In evaluation mode, and before the last checkpoint, which so holds the scales."""
    surrogate.eval()
    with torch.no_grad():
        pieces = torch.arange(len(faces)).split(PIECE)
        found = [surrogate.embed(encode(batch_of(faces, rows, device))) for rows in pieces]
        surrogate.measure_spread(torch.cat(found))
    surrogate.train()
