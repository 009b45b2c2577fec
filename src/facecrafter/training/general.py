"""A general encoder: Enc and a rest that learn from public faces without any label.

The development scenario (paper, III-A, VI-B) has an encoder that was made for no task. Here it
learns, as in SimCLR (Chen et al., ICML 2020), which two views show the same photograph: views are
cut out, mirrored, recoloured, greyed and blurred, so what tells photographs apart must be seen in
spite of that. No code of theirs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, interpolate, normalize

from facecrafter.data.faces import Faces
from facecrafter.errors import DataError, SettingError
from facecrafter.models.split import AbstractSplitModel
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import (
    require_choice,
    require_counts,
    require_not_negative,
    require_positive,
)
from facecrafter.training.target import NetworkName, TargetTraining
from facecrafter.types import Images

GREY = (0.299, 0.587, 0.114)  # luminance of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True)
class GeneralTraining:
    """Train Enc without labels. `fit` returns it in evaluation mode.

    What follows Enc ends in `outputs` numbers that tell photographs apart; they answer nothing, and
    a cloud trains a network of its own on features. Raises `SettingError`.
    """

    network: NetworkName = "resnet18"  # paper, Table X
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)  # of a ResNet; paper, Table X
    outputs: int = 128  # numbers that are compared; as SimCLR, ours
    smallest: float = 0.2  # share of the photograph that a view shows at least; ours, SimCLR: 0.08
    temperature: float = 0.2  # ours; SimCLR: 0.1 to 0.5
    epochs: int = 20  # ours
    batch: int = 128  # photographs, two views of each; ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_choice(self, "network", *get_args(NetworkName))
        require_counts(self, "widths", "outputs", "epochs")
        require_counts(self, "batch", least=2)  # a view is told from those of other photographs
        require_positive(self, "rate", "temperature", "smallest")
        require_not_negative(self, "decay")
        if self.smallest > 1:
            raise SettingError(
                f"smallest={self.smallest:g} of GeneralTraining: a view shows a share of a "
                "photograph, so give more than 0 and at most 1."
            )

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> AbstractSplitModel:
        """Raises `DataError` for fewer faces than `batch`."""
        if len(faces) < self.batch:
            raise DataError(
                f"{len(faces)} faces are fewer than batch={self.batch} of GeneralTraining: give "
                "more, or a smaller batch."
            )
        place = torch.device(device)
        model = TargetTraining(self.network, self.widths).build(self.outputs, seed).to(place)
        optimiser = torch.optim.AdamW(model.parameters(), self.rate, weight_decay=self.decay)
        steps = len(faces) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "general", e))
            images = batch_of(faces, chosen, place)
            rng = stream(seed, "general view", i)
            views = torch.cat([view(images, rng, self.smallest) for _ in range(2)])
            with mixed(place, self.bfloat16):
                outputs = model(views)
            loss = apart(outputs.float(), self.temperature)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(faces)}"
        modules, optimisers, rests_on = {"model": model}, {"adam": optimiser}, {"faces": faces}
        run(Job("general encoder", steps, step, modules, optimisers, recipe, rests_on), folder)
        return model.eval()


def apart(outputs: Tensor, temperature: float) -> Tensor:
    """NT-Xent of (2 count, numbers), the second view of row i in row count + i.

    The mean cross-entropy of finding a view's other one among all others, by the cosine (SimCLR,
    Eq. 1).
    """
    directions = normalize(outputs, dim=1)
    alike = directions @ directions.T / temperature
    alike.fill_diagonal_(-torch.inf)  # nobody is asked to find himself
    other = torch.arange(len(outputs), device=outputs.device).roll(len(outputs) // 2)
    return cross_entropy(alike, other)


def view(images: Images, rng: Generator, smallest: float) -> Images:
    """Another view of each photograph, of the same shape and range."""
    return blurred(recoloured(cut(images, rng, smallest), rng), rng)


def cut(images: Images, rng: Generator, smallest: float) -> Images:
    """A part of each, from `smallest` of its area to all of it, enlarged; half of them mirrored."""
    count = len(images)
    side = (smallest + (1 - smallest) * torch.rand(count, generator=rng)).sqrt()
    mirrored = torch.where(torch.rand(count, generator=rng) < 0.5, -side, side)
    place = (1 - side)[:, None] * (2 * torch.rand(count, 2, generator=rng) - 1)
    still = torch.zeros(count)
    rows = (mirrored, still, place[:, 0]), (still, side, place[:, 1])
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1).to(images)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def recoloured(images: Images, rng: Generator, strength: float = 0.4, grey: float = 0.2) -> Images:
    """Brightness, contrast and colour changed by up to `strength`, each by itself; some grey."""
    gains = 1 + strength * (2 * torch.rand(3, len(images), 1, 1, 1, generator=rng) - 1)
    light, contrast, colour = gains.to(images)
    colour *= (torch.rand(len(images), 1, 1, 1, generator=rng) >= grey).to(images)
    images = light * images
    mean = _luminance(images).mean(dim=(2, 3), keepdim=True)
    images = mean + contrast * (images - mean)
    bright = _luminance(images)
    return (bright + colour * (images - bright)).clamp(0, 1)


def blurred(images: Images, rng: Generator) -> Images:
    """Half of them at half of the resolution."""
    small = interpolate(images, scale_factor=0.5, mode="area")
    soft = interpolate(small, images.shape[-2:], mode="bilinear")
    chosen = torch.rand(len(images), 1, 1, 1, generator=rng) < 0.5
    return torch.where(chosen.to(images.device), soft, images)


def _luminance(images: Images) -> Tensor:
    return (images * torch.tensor(GREY).to(images).view(3, 1, 1)).sum(dim=1, keepdim=True)
