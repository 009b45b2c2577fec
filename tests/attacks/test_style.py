"""A2 with a style-based prior: searched as any other, in the space of its styles."""

from dataclasses import fields

import pytest
import torch

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.other_prior import ManyPriors, OtherPrior
from facecrafter.inversion import Descent
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.paper.scenes import content
from facecrafter.randomness import stream
from facecrafter.training.style_prior import StylePrior
from helpers import tiny_target, tiny_view

SEARCH = LatentSearch(Descent(60, 0.2), None, 2)


@pytest.fixture(scope="module")
def prior() -> StylePrior:
    """Untrained and measured, of 7 latent dimensions."""
    torch.manual_seed(7)
    made = frozen(StylePrior(7, (8, 8, 6, 4, 4)))
    made.measure(stream(0, "measured"), 2000)
    return made


def test_the_search_finds_a_face_that_it_drew(prior: StylePrior) -> None:
    known = {one.name: getattr(tiny_view(), one.name) for one in fields(AttackerView)}
    view = ManyPriors(**known, priors={"style": fold_batch_norms(prior)})
    with torch.no_grad():
        faces = prior.mapped(torch.randn(4, 7, generator=stream(0, "z")))
        average = prior(torch.zeros(1, 7))
        features = tiny_target().encode(faces)
    found = OtherPrior("style", SEARCH).fit(view, stream(0, "a"))(features)
    assert (found - faces).square().mean() < 0.1 * (average - faces).square().mean()


def test_a_scene_tells_priors_apart_by_what_was_measured(prior: StylePrior) -> None:
    torch.manual_seed(7)
    other = frozen(StylePrior(7, (8, 8, 6, 4, 4)))
    assert content(other) != content(prior)
    other.measure(stream(0, "measured"), 2000)
    assert content(other) == content(prior)
    other.measure(stream(1, "measured"), 2000)
    assert content(other) != content(prior)
