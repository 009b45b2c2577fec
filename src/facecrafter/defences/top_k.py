"""Top-k: of each feature the largest values alone; a baseline of every feature defence."""

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
class TopK(AbstractDefence):
    """Release the share `kept` of the values of Enc(X), those of the largest magnitude; 0 else.

    Raises `SettingError`.
    """

    kept: float = 0.1  # above 0, to 1; ours

    def __post_init__(self) -> None:
        if not 0 < self.kept <= 1:
            raise SettingError(
                f"kept={self.kept:g} of TopK: give a share of the values, above 0 and up to 1."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _TopK(self, offline)


class _TopK(AbstractProtector):
    def __init__(self, recipe: TopK, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
        rows = raw.flatten(1)
        count = max(1, round(self.recipe.kept * rows.shape[1]))
        largest = rows.abs().topk(count, dim=1).indices
        kept = torch.zeros_like(rows).scatter(1, largest, rows.gather(1, largest))
        return Release(kept.view_as(raw), straight(images))
