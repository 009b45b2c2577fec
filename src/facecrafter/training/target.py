"""The cloud's network, Enc and f end to end, on the attributes of public faces (III-A)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facecrafter.data.faces import Faces
from facecrafter.errors import DataError
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import (
    require_choice,
    require_counts,
    require_not_negative,
    require_positive,
)

NetworkName = Literal["resnet18", "resnet50", "resnet152", "vgg16"]


@dataclass(frozen=True)
class TargetTraining:
    """Train a target network from scratch. `fit` returns it in evaluation mode."""

    network: NetworkName = "resnet18"  # resnet152 is not the paper's; paper, Table X
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)  # of a ResNet; paper, Table X
    epochs: int = 10  # ours
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_choice(self, "network", *get_args(NetworkName))
        require_counts(self, "widths", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> AbstractSplitModel:
        """Faces without attributes are left out; soft labels are used as they are.

        Raises `DataError` where no face has attributes.
        """
        known = faces.known()
        if not faces.attribute_names or len(known) == 0:
            raise DataError("no face has attributes: the target network learns from them.")
        model = self.build(len(faces.attribute_names), seed).to(device)
        optimiser = torch.optim.AdamW(model.parameters(), self.rate, weight_decay=self.decay)
        labels = torch.from_numpy(np.ascontiguousarray(faces.attributes[known]))
        steps = len(known) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(known), self.batch, i, lambda e: stream(seed, "target", e))
            images = batch_of(faces, torch.from_numpy(known)[chosen], torch.device(device))
            images = varied(images, stream(seed, "target view", i))
            with mixed(images.device, self.bfloat16):
                logits = model(images)
            loss = binary_cross_entropy_with_logits(logits.float(), labels[chosen].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(known)}"
        modules, optimisers = {"model": model}, {"adam": optimiser}
        rests_on = {"faces": faces.take(known)}
        run(Job("target", steps, step, modules, optimisers, recipe, rests_on), folder)
        return model.eval()

    def build(self, classes: int, seed: int) -> AbstractSplitModel:
        """The network with fresh weights, the same for the same seed."""
        torch.manual_seed(stream(seed, "target weights").initial_seed())
        if self.network == "vgg16":
            return Vgg16(classes)
        return ResNet(classes, int(self.network.removeprefix("resnet")), self.widths)
