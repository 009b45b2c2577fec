"""Additive Gaussian noise: the baseline of every feature defence."""

from dataclasses import dataclass

import torch
from torch import Generator

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import SettingError
from facecrafter.randomness import normal
from facecrafter.types import Images


@dataclass(frozen=True)
class Noise(AbstractDefence):
    """Release Enc(X) + deviation x standard normal noise."""

    deviation: float = 2.0  # in units of the features; ours

    def __post_init__(self) -> None:
        if not 0 <= self.deviation < float("inf"):
            raise SettingError(f"deviation={self.deviation}: give a finite number from 0 up.")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Noise(self, offline)


class _Noise(AbstractProtector):
    def __init__(self, recipe: Noise, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
            noise = normal(*raw.shape, rng=rng, like=raw)
            return Release(raw + self.recipe.deviation * noise, straight(images))
