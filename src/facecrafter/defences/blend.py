"""Blend each feature with the feature of an average face: one pass, the baseline to beat."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator
from torch.nn.functional import avg_pool2d

from facecrafter.defences.assignment import assign
from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import SettingError
from facecrafter.randomness import child, normal
from facecrafter.types import Features, Images

POOL = 4  # cells of the feature map averaged to one before features are compared; ours


@dataclass(frozen=True)
class Blend(AbstractDefence):
    """Release (1 - weight) Enc(X) + weight Enc(G(z)), z a random latent vector for each face.

    With `partner="nearest"` the average faces are dealt out by optimal assignment, so that
    features move little; it needs nothing but Enc, as the device has no more.
    """

    weight: float = 0.5  # 0 to 1: 0 is no defence, 1 sends an average face; ours
    partner: Literal["random", "nearest"] = "nearest"  # ours

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise SettingError(f"weight={self.weight}: give a number from 0 to 1.")
        if self.partner not in ("random", "nearest"):
            raise SettingError(f"partner={self.partner!r}: random or nearest.")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Blend(self, offline)


class _Blend(AbstractProtector):
    def __init__(self, recipe: Blend, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
            latent_dim = self.offline.prior.latent_dim
            latents = normal(len(raw), latent_dim, rng=child(rng, "blend"), like=raw)
            average = self.offline.explain(latents)
            if self.recipe.partner == "nearest":
                average = average[nearest(raw, average)]
            return Release(torch.lerp(raw, average, self.recipe.weight), straight(images))


def nearest(features: Features, average: Features) -> torch.Tensor:
    """For each feature the average face dealt to it; the sum of distances is least."""
    return assign(*(avg_pool2d(some, POOL) for some in (features, average)))
