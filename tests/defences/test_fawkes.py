"""Fawkes: within its budget, towards the person that is farthest off."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from equipment import TWO, device, painted
from facecrafter.data.faces import NO_IDENTITY
from facecrafter.defences.cloak import RADIUS
from facecrafter.defences.fawkes import MODES, Fawkes, Mode
from facecrafter.errors import DataError, NotProtected, SettingError
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from helpers import tiny_offline

IMAGES = painted().images([0, 9, 18, 27])
BOTH = [Fawkes("low", ensemble=TWO), Fawkes("low", evades="encoder")]


def cloaked(recipe: Fawkes) -> torch.Tensor:
    return device(recipe).cloak(IMAGES, stream(0, "cloak"))


def fall(recipe: Fawkes) -> torch.Tensor:
    """Distance to the target, as a share of what it was."""
    fitted = device(recipe)
    wanted = fitted.targets(IMAGES)
    return fitted.distance(cloaked(recipe), wanted) / fitted.distance(IMAGES, wanted)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("evades", ["people", "encoder"])
def test_the_budget_holds_and_is_used(mode, evades):
    own = cloaked(Fawkes(mode, evades=evades, ensemble=TWO))
    mirrored = (pad(one, (RADIUS,) * 4, mode="reflect") for one in (own, IMAGES))
    spent = (1 - ssim(*mirrored)) / 2
    assert (spent <= MODES[mode].budget + 1e-5).all()
    assert (spent > 0.1 * MODES[mode].budget).all()
    assert own.min() >= 0
    assert own.max() <= 1


@pytest.mark.parametrize("recipe", BOTH, ids=repr)
def test_every_photograph_comes_nearer_to_its_target(recipe):
    assert (fall(recipe) < 0.995).all()


def test_a_larger_budget_comes_nearer():
    low, high = (fall(Fawkes(mode, ensemble=TWO)).mean() for mode in ("low", "high"))
    assert high < low


@pytest.mark.parametrize("recipe", BOTH, ids=repr)
def test_the_target_is_the_candidate_that_is_farthest_off(recipe):
    fitted = device(recipe)
    others = fitted.known.others
    assert len(others) == 5  # of the five people there are
    wanted = fitted.targets(IMAGES)
    chosen = fitted.distance(IMAGES, wanted)
    seen = fitted._seen(others)
    for number in range(len(others)):
        each = [one[number].expand(len(IMAGES), -1) for one in seen]
        assert (fitted.distance(IMAGES, each) <= chosen + 1e-4).all()


def test_a_photograph_that_no_step_cloaks_is_not_sent_as_it_is(monkeypatch):
    monkeypatch.setitem(MODES, "low", Mode(-1.0, 3, 25.0))  # no DSSIM is within this budget
    with pytest.raises(NotProtected, match="no step brought 4 of 4 photographs nearer"):
        cloaked(Fawkes("low", ensemble=TWO))


def test_candidates_are_so_many_people():
    three = Fawkes("low", candidates=3, evades="encoder")
    assert len(device(three).known.others) == 3


def test_public_faces_of_nobody_are_refused():
    nobody = replace(painted(), identities=np.full(40, NO_IDENTITY))
    with pytest.raises(DataError, match="nobody to be taken for"):
        Fawkes(evades="encoder").equip(tiny_offline(), nobody)


@pytest.mark.parametrize(("name", "value"), [("candidates", 0), ("weight", float("nan"))])
def test_bad_settings_are_named(name, value):
    with pytest.raises(SettingError, match=f"{name}="):
        Fawkes(**{name: value})
