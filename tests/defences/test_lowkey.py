"""LowKey: no pixel beyond its steps, away from what the networks saw."""

import pytest
import torch

from equipment import TWO, device, painted
from facecrafter.defences.cloak import dissimilarity
from facecrafter.defences.lowkey import LowKey
from facecrafter.errors import SettingError
from facecrafter.randomness import stream

IMAGES = painted().images([0, 9, 18, 27])
BOTH = [LowKey(10, weight=0.01, ensemble=TWO), LowKey(10, weight=0.01, evades="encoder")]


def cloaked(recipe: LowKey, seed: int = 0) -> torch.Tensor:
    return device(recipe).cloak(IMAGES, stream(seed, "cloak"))


def gain(recipe: LowKey, images: torch.Tensor) -> torch.Tensor:
    fitted = device(recipe)
    return fitted.gain(images, IMAGES, fitted._seen(IMAGES))


@pytest.mark.parametrize("iterations", [1, 10, 20])
def test_no_pixel_is_moved_by_more_than_the_noise_and_all_steps(iterations):
    recipe = LowKey(iterations, ensemble=TWO)
    own = cloaked(recipe)
    assert (own - IMAGES).abs().max() <= recipe.noise + iterations * recipe.rate + 1e-6
    assert own.min() >= 0
    assert own.max() <= 1


@pytest.mark.parametrize("recipe", BOTH, ids=repr)
def test_what_the_steps_raise_rises_for_every_photograph(recipe):
    assert (gain(recipe, cloaked(recipe)) > gain(recipe, IMAGES)).all()


def test_more_iterations_go_farther():
    few, many = (LowKey(count, ensemble=TWO, weight=0.0) for count in (5, 20))
    assert gain(many, cloaked(many)).mean() > gain(few, cloaked(few)).mean()


def test_a_heavier_penalty_changes_less():
    free, bound = (LowKey(20, ensemble=TWO, weight=weight) for weight in (0.0, 1000.0))
    spent = [dissimilarity(cloaked(one), IMAGES).mean() for one in (free, bound)]
    assert spent[1] < 0.7 * spent[0]


def test_the_blurred_picture_counts():
    """Half of the gain is of the photograph, half of its blur: a blur alone gains in one view."""
    recipe = LowKey(10, ensemble=TWO, weight=0.0)
    fitted = device(recipe)
    seen = fitted._seen(IMAGES)
    plain = fitted.gain(IMAGES, IMAGES, seen)
    assert (plain > 0).all()  # of the blurred view alone, for the other has not moved


def test_another_seed_begins_elsewhere():
    one, other = (cloaked(BOTH[0], seed) for seed in (0, 1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "value"),
    [("iterations", 0), ("rate", 0.0), ("noise", -1.0), ("weight", float("nan"))],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(SettingError, match=f"{name}="):
        LowKey(**{name: value})
