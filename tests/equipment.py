"""Faces, and short trainings, for defences that are handed networks of their own."""

from dataclasses import replace
from functools import cache

from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.adv_face import AdvFace
from facecrafter.defences.base import AbstractDefence, AbstractProtector
from facecrafter.defences.equipped import AbstractEquipped, Equipped
from facecrafter.defences.people import Ensemble
from facecrafter.randomness import stream
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.people import PeopleTraining
from helpers import tiny_offline

SHADOW = DecoderTraining(width=24, epochs=2, batch=8)
TWO = Ensemble(tuple(PeopleTraining(4, (4, 6, width), 4, 8) for width in (8, 10)))


@cache
def painted() -> Faces:
    """Forty photographs of five people who do not exist."""
    return synthetic(5, people=5, photographs=8, size=64)


def handed(defence: AbstractEquipped) -> Equipped:
    """What a tiny device is handed for a defence."""
    if isinstance(defence, AdvFace):  # one shadow for all bounds
        return replace(_handed(AdvFace(shadow=defence.shadow)), recipe=defence)
    return _handed(defence)


@cache
def _handed(defence: AbstractEquipped) -> Equipped:
    return defence.equip(tiny_offline(), painted())


def device(defence: AbstractDefence) -> AbstractProtector:
    """It protects by the defence."""
    assert isinstance(defence, AbstractEquipped)
    return defence.fit(handed(defence), stream(0, "fit"))
