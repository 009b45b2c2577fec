"""f alone: what answers questions of the features of an encoder that stays as it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.split import AbstractSplitModel, ResNet
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.labels import labelled
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive

ENCODER = ("conv1", "bn1", "maxpool", "layer1")  # of a ResNet, its parts up to the cut (Table X)


@dataclass(frozen=True)
class HeadTraining:
    """Train f on public attributes, Enc fixed. `fit` returns both, in evaluation mode.

    For an encoder that was made for no task (`GeneralTraining`), whose features are asked questions
    later (paper, III-A, development). Raises `SettingError`.
    """

    epochs: int = 10  # ours, as TargetTraining's
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")

    def fit(
        self,
        target: AbstractSplitModel,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> ResNet:
        """`target`: whose Enc is taken. Faces without attributes are left out.

        Raises `DataError` where no face has attributes, and `SettingError` for a VGG-16.
        """
        faces, labels = labelled(faces, "f learns from them")
        place = torch.device(device)
        model = with_fresh_head(target, len(faces.attribute_names), seed).to(place)
        learnt = [one for one in model.parameters() if one.requires_grad]
        optimiser = torch.optim.AdamW(learnt, self.rate, weight_decay=self.decay)
        steps = len(faces) // self.batch * self.epochs

        def step(i: int) -> Losses:
            model.train()
            for name in ENCODER:
                model.get_submodule(name).eval()  # its batch norms stay, too
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "head", e))
            images = batch_of(faces, chosen, place)
            images = varied(images, stream(seed, "head view", i))
            with mixed(place, self.bfloat16):
                logits = model(images)
            loss = binary_cross_entropy_with_logits(logits.float(), labels[chosen].to(place))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(faces)}"
        modules, optimisers = {"model": model}, {"adam": optimiser}
        rests_on = {"faces": faces, "target": target}
        run(Job("f", steps, step, modules, optimisers, recipe, rests_on), folder)
        return model.eval()


def with_fresh_head(target: AbstractSplitModel, classes: int, seed: int) -> ResNet:
    """The encoder, not to be trained, and fresh weights behind it, the same for the same seed."""
    if not isinstance(target, ResNet):
        raise SettingError(
            f"the encoder is that of a {type(target).__name__}: f is trained alone behind a ResNet "
            "only; give another folder."
        )
    torch.manual_seed(stream(seed, "head weights").initial_seed())
    how: dict[str, Any] = {**target.arguments, "classes": classes}
    model = ResNet(**how)
    for name in ENCODER:
        kept = target.get_submodule(name)
        model.get_submodule(name).load_state_dict(kept.state_dict())
        model.get_submodule(name).requires_grad_(False)
    return model
