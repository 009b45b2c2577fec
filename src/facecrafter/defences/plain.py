"""No defence: the features as they are. For measuring only."""

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
from facecrafter.types import Images


@dataclass(frozen=True)
class Plain(AbstractDefence):
    """Release Enc(X)."""

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Plain(offline)


class _Plain(AbstractProtector):
    def __init__(self, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.offline = offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            return Release(self.offline.encode(images), straight(images))
