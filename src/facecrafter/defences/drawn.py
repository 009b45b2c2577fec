"""L_p without an assignment: each face moves towards an average face drawn at random."""

from dataclasses import dataclass

from torch import Generator

from facecrafter.defences.base import Offline
from facecrafter.defences.privacy import AbstractDistance, AbstractMeasure, average_faces
from facecrafter.randomness import child
from facecrafter.types import Images, Scores


@dataclass(frozen=True)
class DrawnDistance(AbstractDistance):
    """The mean square over pixels by which a face differs from an average face of its own.

    `AssignedDistance` deals out the average faces so that little has to move; but a face that is
    alike is a face that a search of the prior may leave as it is. Drawn at random, they hide more
    where `TaskUtility` makes moving cheap, and no face's result depends on its neighbours.
    """

    def begin(self, offline: Offline, faces: Images, rng: Generator) -> AbstractMeasure:
        return _DrawnMeasure(average_faces(offline, len(faces), child(rng, "average"), faces))


@dataclass(frozen=True, eq=False)
class _DrawnMeasure(AbstractMeasure):
    drawn: Images  # the average face that each face becomes

    def of(self, faces: Images) -> Scores:
        return (faces - self.drawn).flatten(1).square().mean(dim=1)
