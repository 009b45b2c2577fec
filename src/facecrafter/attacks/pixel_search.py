"""Hybrid: start from another attack's face and search its pixels (Eq. 4)."""

from dataclasses import dataclass, field

import torch
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent, search_from
from facecrafter.randomness import child, normal
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class PixelSearch(AbstractAttack):
    """Minimise |F - Enc(X)| over pixels from where `start` ends.

    The first search starts there exactly, further ones from there plus noise; for each face the
    one with the smallest distance is kept.
    """

    start: AbstractAttack = field(default_factory=ShadowDecoder)
    search: Descent = field(default_factory=lambda: Descent(150, 0.005))  # paper, App. G
    heat: Descent | None = None  # a short search from each start; the best goes on; ours
    restarts: int = 3  # ours; paper: 1
    disturbance: float = 0.05  # deviation of the noise on later starts, RGB 0 to 1; ours
    batch: int = 64  # images searched together; of no influence on the result
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        if not (self.restarts >= 1 and self.batch >= 1 and self.disturbance >= 0):
            raise SettingError(
                f"restarts={self.restarts}, batch={self.batch}, disturbance={self.disturbance}: "
                "give 1 or more, 1 or more, 0 or more."
            )

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        return _PixelSearch(self, view, self.start.fit(view, rng), child(rng, "pixel search"))


class _PixelSearch(AbstractInverter):
    def __init__(
        self, recipe: PixelSearch, view: AttackerView, start: AbstractInverter, rng: Generator
    ) -> None:
        super().__init__()
        self.recipe, self.view, self.start, self.rng = recipe, view, start, rng

    def forward(self, features: Features) -> Images:
        pieces = zip(
            features.split(self.recipe.batch),
            self.start(features).split(self.recipe.batch),
            strict=True,
        )
        return torch.cat([self._refine(piece, first) for piece, first in pieces])

    def _refine(self, features: Features, first: Images) -> Images:
        encoder, shape = self.view.need_encoder(), first.shape

        def explain(pixels: torch.Tensor) -> Features:
            # Clamped for the encoder, not for the gradient: a pixel past 0 or 1 must find back.
            inside = pixels + (pixels.clamp(0, 1) - pixels).detach()
            return encoder(inside.view(shape))

        noises = [
            normal(*shape, rng=self.rng, like=first) * self.recipe.disturbance
            for _ in range(self.recipe.restarts - 1)
        ]
        starts = [begin.flatten(1) for begin in (first, *((first + n).clamp(0, 1) for n in noises))]
        with mixed(features.device, self.recipe.bfloat16):
            found = search_from(starts, self.recipe.search, self.recipe.heat, explain, features)
        return found.latents.view(shape).clamp(0, 1)
