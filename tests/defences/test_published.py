"""Fawkes and LowKey against networks that somebody else trained."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from equipment import painted
from facecrafter.commands.evaluate import Evaluate
from facecrafter.defences.fawkes import Fawkes
from facecrafter.defences.lowkey import LowKey
from facecrafter.defences.published import Published, published
from facecrafter.errors import DataError, SettingError
from facecrafter.paper import describe
from facecrafter.paper.points import by_label
from facecrafter.paper.precision import in_float32
from facecrafter.paper.tables.rivals import FAWKES, misleading
from facecrafter.randomness import stream
from helpers import tiny_offline
from made_records import record
from published_people import evolve, insightface

IMAGES = painted().images([0, 9, 18])


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path, weights in zip(paths, (insightface(), evolve()), strict=True):
        save_file(weights, path)
    return paths


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("kind", [LowKey, Fawkes])
def test_photographs_are_moved_from_how_they_see_them(files, kind, bfloat16):
    recipe = kind(ensemble=published(*files), bfloat16=bfloat16)
    handed = recipe.equip(tiny_offline(), painted())
    fitted = recipe.fit(handed, stream(0, "fit"))
    cloaked = fitted.cloak(IMAGES, stream(0, "cloak"))
    people = recipe.ensemble.fit(painted())
    assert len(people.members) == 2
    for before, after in zip(people(IMAGES), people(cloaked), strict=True):
        assert ((after - before).norm(dim=1) > 0.01).all()
    assert not torch.equal(cloaked, IMAGES)


def test_a_recipe_is_of_the_weights_wherever_they_lie(files, tmp_path):
    one = published(*files)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    other_names = [file.rename(moved / f"{file.stem}-r50.safetensors") for file in files]
    again = published(*reversed(other_names))
    assert (one, repr(one)) == (again, repr(again))
    assert str(tmp_path) not in repr(one)
    for told in (describe.of_defence(LowKey(ensemble=part)) for part in (one, again)):
        assert told["ensemble"] == {
            "name": "Published",
            "trainings": [],
            "digests": list(one.digests),
        }
    assert published(again.files[0]) != one
    assert in_float32(again) == again


def test_a_file_that_was_changed_is_refused(files):
    recipe = published(*files)
    save_file(evolve(between=True), files[0])
    with pytest.raises(SettingError, match=r"one\.safetensors is not the file any more"):
        recipe.fit(painted())
    assert published(*files).digests != recipe.digests


def test_weights_of_another_kind_are_refused_at_once(files):
    save_file({"head.weight": torch.ones(2)}, files[1])
    with pytest.raises(DataError, match=r"two\.safetensors: these are not the weights"):
        published(*files)
    files[1].write_bytes(b"a pickle")
    with pytest.raises(DataError, match=r"^two\.safetensors is no safetensors file"):
        published(*files)


def test_none_and_the_same_twice_are_refused(files):
    with pytest.raises(SettingError, match="of 2 files two hold the same network"):
        published(files[0], files[0])
    with pytest.raises(SettingError, match="0 files and 0 digests"):
        Published()
    with pytest.raises(SettingError, match="2 files and 1 digests"):
        replace(published(*files), digests=("0",))
    with pytest.raises(OSError, match="none"):
        published(files[0].with_name("none"))


def test_the_table_of_rivals_gets_a_row_of_each(files):
    (table,) = Evaluate(root=files[0], table="rivals", people=files).listed()
    assert table.defences[-2:] == misleading(*files)
    for other in ("grid", None):
        with pytest.raises(SettingError, match="--people is for --table rivals"):
            Evaluate(root=files[0], table=other, people=files).listed()
    (usual,) = Evaluate(root=files[0], table="rivals").listed()
    assert table.defences[:-2] == usual.defences
    shown = [
        replace(record("Plain", None, "white-box", 0), defence=describe.of_defence(one))
        for one in (*FAWKES[:2], *table.defences[-2:])
    ]
    labels = ["Fawkes mode low", "Fawkes mode mid", "Fawkes, Published", "LowKey, Published"]
    assert list(by_label(shown)) == labels
