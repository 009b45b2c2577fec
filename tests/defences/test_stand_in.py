"""A stand-in depends on the photograph through the surrogate's reading alone."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facecrafter.defences.base import Offline
from facecrafter.defences.stand_in import StandIn
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.randomness import stream
from helpers import random_images, tiny_offline

DEFENCE = StandIn(search=Descent(30, 0.2))


def release(defence: StandIn, images: Tensor, offline: Offline | None = None) -> Tensor:
    protector = defence.fit(offline or tiny_offline(), stream(0, "fit"))
    return protector(images, stream(0, "rng")).features


def reading(offline: Offline, features: Tensor) -> Tensor:
    assert offline.surrogate is not None
    with torch.no_grad():
        return offline.surrogate.signature(features)


def test_the_surrogate_reads_nearly_the_same_and_in_chance_it_does_not() -> None:
    offline, images = tiny_offline(), random_images(6)
    wanted = reading(offline, offline.encode(images))
    off = [
        (reading(offline, release(replace(DEFENCE, search=search), images)) - wanted).square().sum()
        for search in (Descent(1, 1e-9), Descent(150, 0.5))
    ]
    assert off[1] < 0.7 * off[0]


@pytest.mark.parametrize("kind", ["answers", "signature"])
def test_two_photographs_of_one_reading_have_one_release(kind: str) -> None:
    """Whatever else there is in a photograph: nobody can tell which of them it was."""
    defence = replace(DEFENCE, reading=kind, grid=1e6)  # everything is rounded to 0
    one, other = release(defence, random_images(3, 1)), release(defence, random_images(3, 2))
    assert torch.equal(one, other)
    fine = replace(defence, grid=0.0)
    assert not torch.equal(release(fine, random_images(3, 1)), release(fine, random_images(3, 2)))


def test_another_chance_draws_another_face() -> None:
    protector = DEFENCE.fit(tiny_offline(), stream(0, "fit"))
    rng = stream(0, "rng")
    first, then = (protector(random_images(2), rng).features for _ in range(2))
    assert not torch.equal(first, then)


def test_what_is_missing_or_wrong_is_named() -> None:
    with pytest.raises(SettingError, match="StandIn needs a surrogate"):
        DEFENCE.fit(replace(tiny_offline(), surrogate=None), stream(0, "fit"))
    with pytest.raises(SettingError, match="grid=-1 of StandIn"):
        StandIn(grid=-1)
