"""Verdicts on a planted leak and a planted protection, and where their thresholds are from."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facecrafter.paper.verify as module
from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.bundle import Bundle, load
from facecrafter.commands.demo import demo_faces
from facecrafter.data.faces import Faces
from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.defences.plain import Plain
from facecrafter.defences.privacy import average_faces
from facecrafter.errors import BundleError, DataError, SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.judge import Judge
from facecrafter.paper.cells import Table
from facecrafter.paper.scenes import Scene
from facecrafter.paper.threats import Threat
from facecrafter.paper.verify import Level, Verdict, Verification, calibrate, level, verify
from facecrafter.randomness import stream
from facecrafter.types import Embeddings, Features, Images


@dataclass(frozen=True)
class Given(AbstractAttack):
    """Whatever it is given, it 'reconstructs' these."""

    images: Images

    def fit(self, view: AttackerView, rng: torch.Generator) -> AbstractInverter:
        return _Given(self.images)


class _Given(AbstractInverter):
    def __init__(self, images: Images) -> None:
        super().__init__()
        self.images = images

    def forward(self, features: Features) -> Images:
        return self.images


@dataclass(frozen=True)
class Planted(AbstractAttack):
    """'Reconstructs' the one from what `MOVED` released, another from plain features, and the
    third from the features of two strangers.
    """

    moved: Images
    plain: Images
    strangers: Images

    def fit(self, view: AttackerView, rng: torch.Generator) -> AbstractInverter:
        return _Planted(self)


class _Planted(AbstractInverter):
    def __init__(self, recipe: Planted) -> None:
        super().__init__()
        self.recipe = recipe

    def forward(self, features: Features) -> Images:
        if len(features) == STRANGERS:
            return self.recipe.strangers
        return self.recipe.moved if float(features.min()) > FAR / 2 else self.recipe.plain


STRANGERS = 2
FAR = 1e6  # beyond every plain feature


@dataclass(frozen=True)
class Releases(AbstractDefence):
    """Releases whatever this makes of the photographs."""

    make: Callable[[Offline, Images, torch.Generator], Features]

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Releases(self.make, offline)


class _Releases(AbstractProtector):
    def __init__(self, make: Callable[..., Features], offline: Offline) -> None:
        super().__init__()
        self.make, self.offline = make, offline

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        with torch.no_grad():
            return Release(self.make(self.offline, images, rng), straight(images))


MOVED = Releases(lambda offline, images, _: offline.encode(images) + FAR)  # known as released
# holds nothing of the photograph
SOMEBODY = Releases(
    lambda offline, images, rng: offline.encode(average_faces(offline, len(images), rng, images))
)


class Colours(Judge):
    """A judge for whom a face is its mean colour, from grey; people here have one each."""

    def embed(self, images: Images) -> Embeddings:
        return images.mean(dim=(2, 3)) - 0.5


@pytest.fixture
def bundle(scene: Scene) -> Bundle:
    facts = {"verification": {"different_95": 0.8}}
    judge = Colours(3, 18, (4, 4, 4, 4)).eval()
    return replace(scene.bundle, facts=facts, judge=judge, decoder=scene.shadows[0])


def coloured(*colours: tuple[float, float, float]) -> Images:
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 64, 64).contiguous()


RED, GREEN, ORANGE = (0.9, 0.5, 0.5), (0.5, 0.9, 0.5), (0.9, 0.9, 0.5)


def planted(
    bundle: Bundle, moved: Images, plain: Images, strangers: Images, originals: Images
) -> Verification:
    threat = Threat("planted", Planted(moved, plain, strangers))
    return verify(originals, bundle, MOVED, stream(0), attacks=[threat], strangers=STRANGERS)


def test_a_leak_is_recognisable_and_a_protected_face_hidden(bundle: Bundle) -> None:
    originals = coloured(RED, RED, RED)
    moved, strangers = coloured(RED, GREEN, ORANGE), coloured(GREEN, GREEN)
    found = planted(bundle, moved, originals, strangers, originals)
    assert [v.level for v in found.verdicts] == ["recognisable", "hidden", "at risk"]
    assert [v.strangers for v in found.verdicts] == [0, 2, 0]
    assert found.overall == "recognisable"
    assert found.verdicts[0].similarity == pytest.approx(1)
    assert found.verdicts[0].ssim == pytest.approx(1)
    assert found.verdicts[1].similarity == pytest.approx(0, abs=1e-6)
    assert found.verdicts[2].similarity == pytest.approx(2**-0.5)
    assert [v.plain_similarity for v in found.verdicts] == pytest.approx([1, 1, 1])
    assert [v.plain_ssim for v in found.verdicts] == pytest.approx([1, 1, 1])


def test_a_picture_that_strangers_give_as_well_tells_nothing(bundle: Bundle) -> None:
    """A judge finds alike what only looks the same way, as all pictures of one attack may."""
    originals = coloured(RED, RED, RED)
    moved, plain = coloured(ORANGE, GREEN, RED), coloured(RED, RED, RED)
    found = planted(bundle, moved, plain, coloured(ORANGE, GREEN), originals)
    assert [v.strangers for v in found.verdicts] == [1, 2, 0]
    assert [v.level for v in found.verdicts] == ["hidden", "hidden", "recognisable"]


@pytest.mark.parametrize(
    ("strangers", "several", "expected"),
    [(0, 64, "recognisable"), (1, 64, "hidden"), (10, 650, "recognisable"), (11, 650, "hidden")],
)
def test_a_longer_line_up_is_no_place_to_hide_in(
    strangers: int, several: int, expected: Level
) -> None:
    assert level(0.9, strangers, several, 0.8) == expected


def test_an_attack_that_breaks_no_plain_feature_proves_nothing(bundle: Bundle) -> None:
    originals = coloured(RED, RED, RED, RED)
    moved, plain = coloured(GREEN, GREEN, ORANGE, RED), coloured(RED, ORANGE, GREEN, GREEN)
    found = planted(bundle, moved, plain, coloured(GREEN, GREEN), originals)
    levels = [verdict.level for verdict in found.verdicts]
    assert levels == ["hidden", "cannot tell", "cannot tell", "recognisable"]
    assert found.verdicts[1].plain_similarity == pytest.approx(2**-0.5)
    some = Verification(found.verdicts[:2], found.reconstructions)
    assert some.overall == "cannot tell"


def test_the_strongest_attack_on_each_photograph_counts(bundle: Bundle) -> None:
    attacks = [
        Threat("one", Given(coloured(RED, GREEN))),
        Threat("other", Given(coloured(GREEN, ORANGE))),
    ]
    found = verify(coloured(RED, RED), bundle, Plain(), stream(0), attacks=attacks, strangers=2)
    assert [v.threat for v in found.verdicts] == ["one", "other"]
    torch.testing.assert_close(found.reconstructions, coloured(RED, ORANGE))


def test_the_real_attacks_run_and_a_seed_repeats(
    bundle: Bundle, scene: Scene, table: Table
) -> None:
    images = scene.images([0, 4])
    black = [threat for threat in table.threats if threat.name != "white-box"]
    one, other = (
        verify(images, bundle, Plain(), stream(0), scene.shadows[1:], black) for _ in range(2)
    )
    assert one.verdicts == other.verdicts
    assert {verdict.threat for verdict in one.verdicts} <= {"black-box", "hybrid"}


def test_overall_is_the_worst() -> None:
    levels: tuple[Level, ...] = ("hidden", "at risk", "hidden")
    verdicts = tuple(Verdict(x, 0.0, 0.0, "x", 0, 0.0, 0.0) for x in levels)
    assert Verification(verdicts, torch.zeros(3, 3, 8, 8)).overall == "at risk"


@pytest.mark.parametrize("facts", [{}, {"verification": {"same_05": 0.5}}, {"verification": 1}])
def test_without_calibration_there_is_no_verdict(bundle: Bundle, facts: dict) -> None:
    with pytest.raises(BundleError, match="calibrate"):
        verify(coloured(RED, RED), replace(bundle, facts=facts), Plain(), stream(0))


def test_photographs_of_another_size_are_refused(bundle: Bundle) -> None:
    sized = replace(bundle, facts={**bundle.facts, "size": 128})
    with pytest.raises(DataError, match="128"):
        verify(coloured(RED, RED), sized, Plain(), stream(0))


def test_strangers_do_not_enter_the_memory(bundle: Bundle, tmp_path: Path) -> None:
    memory, originals = tmp_path / "memory.db", coloured(RED, GREEN, ORANGE)
    threat = Threat("planted", Planted(originals, originals, coloured(GREEN, GREEN)))
    verify(originals, bundle, MOVED, stream(0), (), [threat], memory, STRANGERS)
    with sqlite3.connect(memory) as database:
        assert database.execute("SELECT COUNT(*) FROM released").fetchone() == (3,)


def test_batches_and_the_whole_stand_in_one_line_up(
    bundle: Bundle, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    decode = Threat("black-box", ShadowDecoder(restarts=1), "black-box")
    images = scene.images(range(5))
    found = verify(images, bundle, Plain(), stream(0), (), [decode], strangers=3)
    assert len(found.verdicts) == len(found.reconstructions) == 5
    with torch.no_grad():
        decoded = scene.shadows[0](fold_batch_norms(scene.target).encode(images))
    torch.testing.assert_close(found.reconstructions, decoded)


def test_a_line_up_needs_somebody(bundle: Bundle) -> None:
    with pytest.raises(SettingError, match="1 or more"):
        verify(coloured(RED), bundle, Plain(), stream(0), strangers=0)


def test_the_shipped_bundle_tells_a_plain_face_from_one_that_is_not_there() -> None:
    shipped = load(Path(__file__).parents[2] / "bundles" / "lfw64")
    face = demo_faces(64)[:1]
    plain, hidden = (
        verify(face, shipped, defence, stream(0), strangers=8) for defence in (Plain(), SOMEBODY)
    )
    assert plain.overall == "recognisable"
    assert hidden.overall == "hidden"
    assert plain.verdicts[0].plain_similarity == hidden.verdicts[0].plain_similarity > 0.9


def faces_of(colours: list[tuple[float, float, float]], identities: list[int]) -> Faces:
    pixels = (coloured(*colours) * 255).round().byte().numpy()
    nothing = np.zeros((len(identities), 0), np.float32)
    return Faces(pixels, np.array(identities, dtype=np.int64), nothing)


def test_calibration_compares_people(bundle: Bundle) -> None:
    judge = bundle.need("judge")
    faces = faces_of([RED, RED, GREEN, GREEN, ORANGE], [0, 0, 1, 1, 2])  # one photograph of 2
    found = calibrate(judge, faces)
    assert found["different_95"] == pytest.approx(0, abs=0.02)
    assert found["same_05"] == pytest.approx(1)
    assert found["photographs"] == 4


def test_calibration_needs_two_people(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="two"):
        calibrate(bundle.need("judge"), faces_of([RED, RED, GREEN], [0, 0, -1]))
