"""A2: another generator than the device's."""

from dataclasses import fields, replace

import pytest
import torch

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.other_prior import ManyPriors, OtherPrior
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.randomness import stream
from helpers import SIZE, tiny_target, tiny_view

SEARCH = LatentSearch(Descent(40, 0.2), None, 1)


def view() -> ManyPriors:
    """The tiny view, and a generator of the attacker's own, with more dimensions and layers."""
    torch.manual_seed(7)
    mine = {"G2-9": frozen(Prior(9, 2, SIZE, 4))}
    known = {one.name: getattr(tiny_view(), one.name) for one in fields(AttackerView)}
    return ManyPriors(**known, priors=mine)


def test_draws_with_the_prior_of_that_name() -> None:
    """Its own faces it finds, and the device's prior is not asked at all."""
    own = view().priors["G2-9"]
    with torch.no_grad():
        faces = own(torch.randn(4, 9, generator=stream(0, "z")))
        features = tiny_target().encode(faces)
        unread = replace(view(), prior=None)
        found = OtherPrior("G2-9", SEARCH).fit(unread, stream(0, "a"))(features)
    usual = SEARCH.fit(view(), stream(0, "a"))(features)
    assert (found - faces).square().mean() < 0.5 * (usual - faces).square().mean()


def test_a_name_that_nobody_trained_is_an_error_that_says_how() -> None:
    with pytest.raises(SettingError, match="no prior is called 'G3'; the attacker has G2-9"):
        OtherPrior("G3", SEARCH).fit(view(), stream(0, "a"))
    with pytest.raises(SettingError, match="has none but the device's"):
        OtherPrior("G3", SEARCH).fit(tiny_view(), stream(0, "a"))
