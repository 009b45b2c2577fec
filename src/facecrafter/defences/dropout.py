"""Dropout at the cut: a baseline of every feature defence."""

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
from facecrafter.types import Images


@dataclass(frozen=True)
class Dropout(AbstractDefence):
    """Release Enc(X), each value of it set to 0 with the probability `share`.

    The others are not scaled up: the cloud's network was not trained with dropout, and what was not
    dropped is what it knows. Raises `SettingError`.
    """

    share: float = 0.5  # 0 to below 1; ours

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise SettingError(
                f"share={self.share:g} of Dropout: give a number from 0 to below 1, for a feature "
                "that loses all its values tells the cloud nothing."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Dropout(self, offline)


class _Dropout(AbstractProtector):
    def __init__(self, recipe: Dropout, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
        kept = torch.rand(raw.shape, generator=rng) >= self.recipe.share
        return Release(raw * kept.to(raw), straight(images))
