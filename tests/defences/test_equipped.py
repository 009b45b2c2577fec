"""What every defence promises whose device is handed networks of its own."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from equipment import SHADOW, TWO, device, handed, painted
from facecrafter.defences.adv_face import AdvFace
from facecrafter.defences.base import Offline
from facecrafter.defences.equipped import AbstractEquipped, Equipped
from facecrafter.defences.fawkes import Fawkes
from facecrafter.defences.lowkey import LowKey
from facecrafter.defences.shuffled import Shuffled
from facecrafter.errors import DataError, NotProtected, SettingError
from facecrafter.randomness import stream
from facecrafter.training import loop
from helpers import random_images, tiny_offline, tiny_target

RECIPES: tuple[AbstractEquipped, ...] = (
    AdvFace(0.5, shadow=SHADOW),
    Fawkes("low", ensemble=TWO),
    Fawkes("low", evades="encoder"),
    LowKey(5, ensemble=TWO),
    LowKey(5, evades="encoder"),
)
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=repr)


@every_recipe
def test_a_release_is_finite_moved_and_of_the_shape_of_enc(recipe):
    release = device(recipe)(random_images(2), stream(0, "defence"))
    raw = tiny_target().encode(random_images(2))
    assert release.features.shape == raw.shape
    assert not release.features.requires_grad
    assert ((release.features - raw).flatten(1).norm(dim=1) > 0).all()
    assert release.order.tolist() == [0, 1]


@every_recipe
def test_the_same_seed_gives_the_same_equipment_and_release(recipe):
    again = recipe.fit(recipe.equip(tiny_offline(), painted()), stream(0, "fit"))
    one, other = (
        by(random_images(2), stream(0, "defence")).features for by in (device(recipe), again)
    )
    assert torch.equal(one, other)


@every_recipe
def test_a_photograph_is_protected_alike_in_any_batch(recipe):
    """But for the random numbers that LowKey begins with."""
    recipe = replace(recipe, noise=0.0) if isinstance(recipe, LowKey) else recipe
    together = device(recipe)(random_images(2), stream(0, "defence")).features
    alone = device(recipe)(random_images(2)[:1], stream(0, "defence")).features
    difference = (together[:1] - alone).abs()
    assert difference.mean() < 0.02 * together.abs().mean()  # steps of signs and budgets part ways


@every_recipe
@pytest.mark.parametrize(
    "images",
    [torch.rand(0, 3, 64, 64), torch.full((2, 3, 64, 64), 255.0), torch.rand(2, 3, 32, 32)],
    ids=["none", "bytes", "small"],
)
def test_what_is_no_batch_of_photographs_is_refused(recipe, images):
    with pytest.raises(DataError):
        device(recipe)(images, stream(0, "defence"))


@every_recipe
def test_no_other_offline_does(recipe):
    """Fails closed: what was trained for one recipe is not the equipment of another."""
    given, other = handed(recipe), next(one for one in RECIPES if one != recipe)
    for offline in (
        tiny_offline(),
        handed(other),
        replace(given, recipe=None),
        replace(given, equipment=None),
    ):
        with pytest.raises(SettingError, match="train them on public faces"):
            recipe.fit(offline, stream(0, "fit"))


@every_recipe
def test_the_rest_of_offline_is_handed_on(recipe):
    offline = tiny_offline()
    given = recipe.equip(offline, painted())
    assert isinstance(given, Equipped)
    for part in fields(Offline):
        assert getattr(given, part.name) == getattr(offline, part.name)
    assert given.equipment is not None
    assert not given.equipment.training
    assert not any(one.requires_grad for one in given.equipment.parameters())


@pytest.mark.parametrize("recipe", [RECIPES[0], RECIPES[1], RECIPES[3]], ids=repr)
def test_a_training_that_was_finished_is_not_done_again(
    recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = recipe.equip(tiny_offline(), painted(), 0, tmp_path)
    monkeypatch.setattr(loop, "_save", None)  # a step more would call it
    again = recipe.equip(tiny_offline(), painted(), 0, tmp_path)
    assert first.equipment is not None
    assert again.equipment is not None
    one, other = first.equipment.state_dict(), again.equipment.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("recipe", [RECIPES[2], RECIPES[4]], ids=repr)
def test_who_evades_the_encoder_trains_nothing(recipe, tmp_path: Path):
    recipe.equip(tiny_offline(), painted(), 0, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_modes_and_iterations_share_their_networks():
    assert Fawkes("low").lessons == Fawkes("high").lessons == LowKey(75).lessons
    assert AdvFace(0.5).lessons == AdvFace(1.0).lessons


def test_a_wrapper_takes_the_equipment_of_what_it_wraps():
    recipe = RECIPES[0]
    release = Shuffled(recipe).fit(handed(recipe), stream(0, "fit"))(
        random_images(2), stream(0, "defence")
    )
    assert sorted(release.order.tolist()) == [0, 1]


@pytest.mark.parametrize("value", [float("nan"), 0.0])
@pytest.mark.parametrize("recipe", [RECIPES[0], RECIPES[1], RECIPES[3]], ids=repr)
def test_broken_networks_do_not_let_plain_features_out(recipe, value):
    given = recipe.equip(tiny_offline(), painted())
    assert given.equipment is not None
    for weights in given.equipment.parameters():
        weights.data.fill_(value)
    with pytest.raises(NotProtected):
        recipe.fit(given, stream(0, "fit"))(random_images(2), stream(0, "defence"))
