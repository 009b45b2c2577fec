"""rMLE: search pixels, and prefer smooth pictures (He et al., ACSAC 2019).

Where no decoder and no prior is at hand, what explains a feature is one of many pictures, most of
them noise. Total variation is the oldest answer.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.randomness import child, normal
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Images

FLAT = 1e-6  # added to squared slopes of a picture, so that the root has one where it is flat


@dataclass(frozen=True)
class Rmle(AbstractAttack):
    """Minimise |F - Enc(X)|^2 + weight x total variation over pixels, from a grey picture."""

    weight: float = 0.3  # of the sum of slopes between neighbours, RGB 0 to 1; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(150, 0.03))  # ours
    size: int = 64  # height and width of the pictures, pixels; ours
    batch: int = 64  # images searched together; of no influence on the result
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        if not (0 <= self.weight < torch.inf and self.size >= 2 and self.batch >= 1):
            raise SettingError(
                f"weight={self.weight}, size={self.size}, batch={self.batch}: give a finite weight "
                "from 0, 2 pixels or more, and 1 image or more."
            )

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        return _Rmle(self, view, child(rng, "rmle"))


class _Rmle(AbstractInverter):
    def __init__(self, recipe: Rmle, view: AttackerView, rng: Generator) -> None:
        super().__init__()
        self.recipe, self.view, self.rng = recipe, view, rng

    def forward(self, features: Features) -> Images:
        return torch.cat([self._search(piece) for piece in features.split(self.recipe.batch)])

    def _search(self, features: Features) -> Images:
        size, encoder = self.recipe.size, self.view.need_encoder()
        start = 0.5 + 0.01 * normal(len(features), 3 * size * size, rng=self.rng, like=features)

        def explain(pixels: Tensor) -> Tensor:
            """F, then the roots of the slopes: the sum of squares of all is what is minimised."""
            inside = pixels + (pixels.clamp(0, 1) - pixels).detach()  # as `PixelSearch`
            images = inside.view(-1, 3, size, size)
            slopes = self.recipe.weight**0.5 * variation(images).sqrt()
            return _joined(encoder(images), slopes)

        wanted = _joined(features, features.new_zeros(len(features), (size - 1) ** 2))
        with mixed(features.device, self.recipe.bfloat16):
            found = self.recipe.search.run(explain, wanted, start)
        return found.latents.view(-1, 3, size, size).clamp(0, 1)


def _joined(features: Tensor, slopes: Tensor) -> Tensor:
    """Both as one map of a pixel and many channels."""
    both = torch.cat([features.flatten(1), slopes.flatten(1)], dim=1)
    return both.view(len(both), -1, 1, 1)


def variation(images: Images) -> Tensor:
    """Length of the slope at each pixel, over all colours: (batch, height - 1, width - 1)."""
    here = images[:, :, :-1, :-1]
    down, across = images[:, :, 1:, :-1] - here, images[:, :, :-1, 1:] - here
    return ((down**2 + across**2).sum(dim=1) + FLAT).sqrt()
