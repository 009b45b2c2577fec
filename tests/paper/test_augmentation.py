"""Private releases beside a one-sided public set, on painted faces and with small networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.errors import DataError, SettingError
from facecrafter.paper import augmentation, augmentation_page
from facecrafter.paper.augmentation import (
    Augmentation,
    Setting,
    Source,
    answer,
    joined,
    with_attribute,
)
from facecrafter.paper.augmentation_page import ALONE, write_page
from facecrafter.paper.augmentation_results import Results
from facecrafter.paper.development import Collected, Development, collect
from facecrafter.paper.scenes import Scene
from facecrafter.paper.tables import exposure as exposure_table
from facecrafter.paper.tables.augmentation import AUGMENTATIONS, DEFENCES, REPORTED
from facecrafter.paper.tiny import tiny

SPLITS = synthetic_splits(0, people=40, photographs=6, private_people=16)
SETS = ("Smiling", "Pale_Skin")  # enough here show each and enough do not
HOW = Development("attributes", 2, networks=2, widths=(16, 16), epochs=30, batch=12)
QUICK = replace(HOW, widths=(4,), epochs=1)
ONE = replace(QUICK, networks=1)
PLAIN = Plain()


@pytest.fixture(scope="module")
def many() -> Scene:
    """Twenty-four public people; untrained networks, whose first layers still tell much."""
    return replace(tiny(), name="many", public=SPLITS.public, minimum=8)


def setting(
    scene: Scene,
    work: Path,
    source: Source = "both",
    how: Development = QUICK,
    defence: AbstractDefence = PLAIN,
) -> Setting:
    asked = Augmentation(source, SETS, how)
    return Setting(defence, asked, 0, scene, SPLITS.private_train, work)


def test_a_removed_answer_comes_back_with_the_releases(many: Scene, tmp_path: Path) -> None:
    alone, _ = answer(setting(many, tmp_path, "public", HOW))
    both, _ = answer(setting(many, tmp_path, "both", HOW))
    pale = [told["auc_of_the_attribute_by_set"]["Pale_Skin"] for told in (alone, both)]
    assert pale[1] > pale[0] + 0.1  # all other faces were removed
    assert (alone["private"], both["private"]) == (0, len(SPLITS.private_train))
    for told in (alone, both):
        sets = list(told["auc_by_set"].values())
        assert told["auc"] == pytest.approx(np.mean(sets))
        assert (told["auc_low"], told["auc_high"]) == (min(sets), max(sets))
    assert alone["public_by_set"] == both["public_by_set"]


def test_nobody_is_on_both_sides_and_none_of_the_lesson_lacks_the_attribute(
    many: Scene, tmp_path: Path
) -> None:
    one = setting(many, tmp_path)
    learns, rest = one.sides
    people = SPLITS.public.identities
    assert not set(people[learns]) & set(people[rest])
    assert sorted([*learns, *rest]) == list(range(len(people)))
    public = collect(one.of_public)
    column = SPLITS.public.attribute_names.index("Smiling")
    kept = with_attribute(public, column)
    smiling = SPLITS.public.attributes[learns, column] >= 0.5
    assert len(kept.values) == smiling.sum() < len(public.values)
    assert (kept.values[:, column] >= 0.5).all()
    raw = public.features[:, torch.from_numpy(np.flatnonzero(smiling))]
    assert torch.equal(kept.features, raw)  # faces go with their answers


def test_public_faces_are_not_protected_and_private_ones_are(many: Scene, tmp_path: Path) -> None:
    one = setting(many, tmp_path, defence=Noise(1.0))
    assert (one.of_public.defence, one.of_private.defence) == (Plain(), Noise(1.0))
    plain = setting(many, tmp_path)
    assert torch.equal(collect(one.of_public).features, collect(plain.of_public).features)
    assert not torch.equal(collect(one.of_private).features, collect(plain.of_private).features)


def test_joined_keeps_answers_with_their_features() -> None:
    sides = [
        Collected(torch.full((2, n, 1, 1, 1), float(n)), torch.full((n, 3), float(n)), "")
        for n in (2, 3)
    ]
    both = joined(*sides)
    assert both.features[:, :, 0, 0, 0].tolist() == [[2, 2, 3, 3, 3]] * 2
    assert both.values[:, 0].tolist() == [2, 2, 3, 3, 3]


def test_what_is_there_is_not_measured_again(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w")
    first = results.measure(one)
    monkeypatch.setattr(augmentation, "_train", None)
    assert results.measure(setting(many, tmp_path / "elsewhere")) == first
    others = [
        replace(one, seed=1),
        replace(one, defence=Noise(1.0)),
        replace(one, augmentation=Augmentation("public", SETS, QUICK)),
        replace(one, augmentation=Augmentation("both", SETS[:1], ONE)),
        replace(one, private=SPLITS.private_train.take(range(20))),
        replace(one, scene=replace(many, public=SPLITS.public.take(range(60)))),
    ]
    assert [results.find(other) for other in others] == [None] * len(others)
    monkeypatch.setattr(augmentation, "code", lambda *_: "other code")
    assert results.find(replace(one)) is None


def test_the_page_tells_what_the_releases_add(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmentation_page, "DEFENCES", (Plain(), Noise(1.0)))
    results = Results(tmp_path / "r")
    noise = results.measure(setting(many, tmp_path / "w", defence=Noise(1.0))).outcome
    assert "| Noise |" in write_page(results, tmp_path).read_text()  # without the others
    alone = results.measure(setting(many, tmp_path / "w", "public")).outcome
    results.measure(setting(many, tmp_path / "w"))
    page = write_page(results, tmp_path).read_text()
    told = f"{noise['auc']:.3f} ({noise['auc_low']:.3f} to {noise['auc_high']:.3f})"
    gain = noise["auc"] - alone["auc"]
    assert f"| Noise | {told} | {gain:+.3f} | " in page
    places = [page.index(f"| {name} |") for name in (ALONE, "Plain", "Noise")]
    assert places == sorted(places)
    own = alone["auc_of_the_attribute_by_set"]["Smiling"]
    assert f"{alone['auc_by_set']['Smiling']:.3f}, itself {own:.3f}" in page
    assert all(f"{figure:g}" in page for figure in REPORTED)
    assert "one network" in " ".join(page.split())


def test_settings_that_cannot_be_are_refused(many: Scene, tmp_path: Path) -> None:
    for wrong in (
        {"attributes": ()},
        {"how": replace(QUICK, task="expression")},
        {"how": replace(QUICK, networks=3)},
    ):
        with pytest.raises(SettingError, match="one attribute at least"):
            replace(AUGMENTATIONS[0], **wrong)
    one = setting(many, tmp_path)
    with pytest.raises(SettingError, match="Cheerful"):
        answer(replace(one, augmentation=Augmentation("public", ("Cheerful",), ONE)))
    with pytest.raises(DataError, match="name another attribute"):
        answer(replace(one, augmentation=Augmentation("public", ("Brown_Hair",), ONE)))
    with pytest.raises(DataError, match="shows attribute 0"):
        with_attribute(Collected(torch.zeros(1, 2, 1, 1, 1), torch.zeros(2, 3), ""), 0)


def test_the_table_is_that_of_expose_for_both_sources() -> None:
    assert DEFENCES is exposure_table.DEFENCES
    assert [one.source for one in AUGMENTATIONS] == ["public", "both"]
    assert len({one.attributes for one in AUGMENTATIONS}) == 1
