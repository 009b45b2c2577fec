"""Shuffle the batch, so that averaging over queries mixes people (V-A, A3).

It does not stand alone: crafted features stay near Enc(X), so features can be matched across
queries and the shuffle undone. `Remembered` is what holds; shuffling hides the order. Together:
`Shuffled(Remembered(Crafter()))`, for `Remembered` puts what it wraps back in the order of the
images.
"""

from dataclasses import dataclass

from torch import Generator

from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline, Release
from facecrafter.randomness import permutation
from facecrafter.types import Images


@dataclass(frozen=True)
class Shuffled(AbstractDefence):
    """The release of another defence, in a uniformly random order. Outermost, or it is undone."""

    defence: AbstractDefence

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Shuffled(self.defence.fit(offline, rng))


class _Shuffled(AbstractProtector):
    def __init__(self, protector: AbstractProtector) -> None:
        super().__init__()
        self.protector = protector

    def protect(self, images: Images, rng: Generator) -> Release:
        release = self.protector(images, rng)
        order = permutation(len(images), rng)
        return Release(release.features[order.to(release.features.device)], release.order[order])
