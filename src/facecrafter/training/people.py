"""An attacker's own network that tells people apart, on public faces, by what Enc sees in them.

Not a judge: it learns from nobody who is protected, and measures nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.errors import DataError
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, degraded, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class PeopleTraining:
    """Train an identity network. `fit` returns it in evaluation mode; see `embed`."""

    least: int = 4  # photographs of a person, for the person to count; ours
    widths: tuple[int, int, int] = (96, 128, 192)  # ours
    epochs: int = 10  # ours
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "least", "widths", "epochs")
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
    ) -> Surrogate:
        """`encode`: Enc. A person with fewer photographs than `least` is left out.

        Raises `DataError` where fewer than two people remain.
        """
        known = self._often(faces)
        people, labels = np.unique(known.identities, return_inverse=True)
        place, truth = torch.device(device), torch.from_numpy(labels)
        torch.manual_seed(stream(seed, "people weights").initial_seed())
        with torch.no_grad():
            channels = encode(known.images([0]).to(place)).shape[1]
        network = Surrogate(channels, len(people), self.widths).to(place)
        optimiser = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=self.decay)
        steps = len(known) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(known), self.batch, i, lambda e: stream(seed, "people", e))
            images = varied(batch_of(known, chosen, place), stream(seed, "people view", i))
            images = degraded(images, stream(seed, "people degraded", i))  # as decoders draw
            with mixed(place, self.bfloat16):
                with torch.no_grad():
                    features = encode(images)
                logits = network(features)
            loss = cross_entropy(logits.float(), truth[chosen].to(place))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(known)}"
        modules, optimisers = {"people": network}, {"adam": optimiser}
        rests_on = {"faces": known, "target": encode}
        run(Job("people", steps, step, modules, optimisers, recipe, rests_on), folder)
        return network.eval()

    def _often(self, faces: Faces) -> Faces:
        people, counts = np.unique(faces.identities, return_counts=True)
        often = people[(counts >= self.least) & (people != NO_IDENTITY)]
        if len(often) < 2:
            raise DataError(
                f"{len(often)} people have least={self.least} photographs or more among "
                f"{len(faces)}: to tell people apart takes two. Give more faces, or a smaller "
                "`least`."
            )
        return faces.take(np.isin(faces.identities, often))
