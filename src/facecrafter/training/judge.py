"""The judge, on private training photographs (VI-A): it measures; no defence or attack sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.judge import Judge
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, degraded, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive


@dataclass(frozen=True)
class JudgeTraining:
    """Train an identity network. `fit` returns it in evaluation mode."""

    depth: int = 152  # of the ResNet; paper, VI-A
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)  # of the stages; torchvision's
    epochs: int = 30  # ours
    batch: int = 32  # ours
    rate: float = 1e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    smoothing: float = 0.1  # of the labels; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "widths", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")
        if not 0 <= self.smoothing <= 1:
            raise SettingError(f"smoothing={self.smoothing} of JudgeTraining: give 0 to 1.")

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        start: Mapping[str, Tensor] | None = None,
    ) -> Judge:
        """People are numbered by `numpy.unique(faces.identities)`.

        `start`: weights of a ResNet of the same depth and widths to start from; its last layer is
        not used. Raises `SettingError` for those of another network.
        """
        people, labels = np.unique(faces.identities, return_inverse=True)
        torch.manual_seed(stream(seed, "judge weights").initial_seed())
        judge = Judge(len(people), self.depth, self.widths).to(device)
        if start is not None:
            self._begin(judge, start)
        optimiser = torch.optim.AdamW(judge.parameters(), self.rate, weight_decay=self.decay)
        truth = torch.from_numpy(labels)
        steps = len(faces) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "judge", e))
            images = batch_of(faces, chosen, torch.device(device))
            images = varied(images, stream(seed, "judge view", i), light=0.2)
            images = degraded(images, stream(seed, "judge degraded", i))
            with mixed(images.device, self.bfloat16):
                logits = judge(images)
            wanted = truth[chosen].to(device)
            loss = cross_entropy(logits.float(), wanted, label_smoothing=self.smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(faces)} start={start is not None}"
        modules, optimisers = {"model": judge}, {"adam": optimiser}
        rests_on = {"faces": faces} if start is None else {"faces": faces, "start": start}
        run(Job("judge", steps, step, modules, optimisers, recipe, rests_on), folder)
        return judge.eval()

    def _begin(self, judge: Judge, start: Mapping[str, Tensor]) -> None:
        """All weights but those of the last layer, each of which must be there."""
        given, wanted = _body(start), _body(judge.body.state_dict())
        names = sorted(given.keys() | wanted.keys())
        odd = [name for name in names if _shape(given, name) != _shape(wanted, name)]
        if odd:
            raise SettingError(
                f"start is no ResNet-{self.depth} of widths {self.widths}, as the judge is: "
                f"{odd[0]} is {_shape(given, odd[0])} there and {_shape(wanted, odd[0])} here. "
                "Start from a ResNet target of the same depth and widths, or from none."
            )
        judge.body.load_state_dict(given, strict=False)


def _body(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith("fc.")}


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(weights[name].shape)) if name in weights else "missing"
