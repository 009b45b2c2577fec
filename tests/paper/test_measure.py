"""One cell, from protecting to judging."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.defences import kept
from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline, Release
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.noise import Noise
from facecrafter.defences.opponents import _PixelGame
from facecrafter.defences.shuffled import Shuffled
from facecrafter.errors import SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.paper import cells
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.keeping import kept_faces
from facecrafter.paper.measure import RATES, VERIFIED, deploy, invert, judge, measure, verify
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import OUTCOME, TAKEN_OVER, Record, Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import tiny
from facecrafter.paper.work import Work
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class Counted(AbstractDefence):
    """Noise that counts batches, and breaks once."""

    deviation: float = 1.0
    calls = 0
    breaks_at = -1

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Counted(Noise(self.deviation).fit(offline, rng))


class _Counted(AbstractProtector):
    def __init__(self, inside: AbstractProtector) -> None:
        super().__init__()
        self.inside = inside

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        Counted.calls += 1
        if Counted.calls == Counted.breaks_at:
            raise KeyboardInterrupt
        return self.inside(images, rng)


@pytest.fixture(autouse=True)
def _reset() -> None:
    Counted.calls, Counted.breaks_at = 0, -1


@pytest.mark.parametrize("number", range(6), ids=str)
def test_a_cell_end_to_end(table: Table, scene: Scene, store: Store, number: int) -> None:
    record = measure(table.cells()[number], scene, store)
    assert set(OUTCOME) <= record.outcome.keys()
    assert 0 <= record.outcome["eval_acc_low"] <= record.outcome["eval_acc"] <= 1
    hits = record.outcome["recognised"]
    assert len(hits) == len(scene.private_test)
    assert hits.count("1") / len(hits) == record.outcome["eval_acc"]
    assert record.wall > 0
    assert record.versions["scene"] == scene.digest


def test_same_seed_gives_the_same_outcome(table: Table, scene: Scene, tmp_path) -> None:
    cell = table.cells()[5]
    records = [measure(cell, scene, Store(tmp_path / n, tmp_path / f"w{n}")) for n in "ab"]
    one, other = ({**record.outcome, "seconds": 0} for record in records)
    assert one == other


def test_a_measured_cell_is_not_measured_again(scene: Scene, store: Store, table: Table) -> None:
    cell = Cell("tiny", Counted(), table.threats[1], 0)
    first = measure(cell, scene, store)
    assert Counted.calls == 2
    store.work.rename(store.work.with_name("gone"))
    assert measure(cell, scene, store) == first
    assert Counted.calls == 2


def test_three_threats_share_one_crafting(scene: Scene, store: Store, table: Table) -> None:
    for threat in table.threats:
        measure(Cell("tiny", Counted(), threat, 0), scene, store)
    assert Counted.calls == 2
    measure(Cell("tiny", Counted(), table.threats[0], 1), scene, store)
    assert Counted.calls == 4


def test_an_interrupted_crafting_goes_on_and_ends_alike(
    scene: Scene, store: Store, table: Table, tmp_path
) -> None:
    cell = Cell("tiny", Counted(), table.threats[1], 0)
    Counted.breaks_at = 2
    with pytest.raises(KeyboardInterrupt):
        measure(cell, scene, store)
    assert store.all() == []
    Counted.calls, Counted.breaks_at = 0, -1
    resumed = measure(cell, scene, store)
    assert Counted.calls == 1
    whole = measure(cell, scene, Store(tmp_path / "r", tmp_path / "w"))
    assert {**resumed.outcome, "seconds": 0} == {**whole.outcome, "seconds": 0}


def test_another_judge_needs_no_new_attack(scene: Scene, store: Store) -> None:
    Fragile.calls, Fragile.breaks_at = 0, -1
    cell = Cell("tiny", Counted(), Threat("fragile", Fragile()), 0)
    first = measure(cell, scene, store)
    other = tiny(1).bundle.need("judge")
    bundle = replace(scene.bundle, digest="another judge", judge=other)
    second = measure(cell, replace(scene, bundle=bundle), store)
    assert second.outcome["fsim"] != first.outcome["fsim"]
    assert second.outcome["ssim"] == first.outcome["ssim"]
    assert (Counted.calls, Fragile.calls) == (2, 2)
    prior = fold_batch_norms(scene.prior)
    next(prior.parameters()).data += 1
    measure(cell, replace(scene, bundle=replace(bundle, digest="x", prior=prior)), store)
    assert (Counted.calls, Fragile.calls) == (4, 4)


@dataclass(frozen=True)
class Rewritten(Counted):
    """Other code that releases what `Counted` releases."""


def test_other_code_that_releases_the_same_needs_no_new_attack(scene: Scene, store: Store) -> None:
    Fragile.calls, Fragile.breaks_at = 0, -1
    threat = Threat("fragile", Fragile())
    first = measure(Cell("tiny", Counted(), threat, 0), scene, store)
    second = measure(Cell("tiny", Rewritten(), threat, 0), scene, store)
    assert (Counted.calls, Fragile.calls) == (4, 2)
    assert {**first.outcome, "seconds": 0} == {**second.outcome, "seconds": 0}
    assert first.versions["release"] == second.versions["release"]
    assert first.versions["cell"] != second.versions["cell"]
    measure(Cell("tiny", Rewritten(), threat, 1), scene, store)  # other random numbers
    measure(Cell("tiny", Noise(3.0), threat, 0), scene, store)  # another release
    measure(Cell("tiny", Rewritten(), replace(threat, sees="black-box"), 0), scene, store)
    assert Fragile.calls == 2 + 3 * 2


@pytest.fixture
def checked(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object]], tuple[Record, Record]]:
    """Measured, then something done, then measured with a spot check by other code."""
    cell = Cell("tiny", Counted(), Threat("fragile", Fragile()), 0)
    three = replace(scene, batch=3)  # batches, of three faces

    def run(between: Callable[[], object]) -> tuple[Record, Record]:
        Counted.calls, Fragile.calls, Fragile.breaks_at = 0, 0, -1
        first = measure(cell, three, store)
        between()
        Counted.calls, Fragile.calls = 0, 0
        monkeypatch.setattr(cells, "code", lambda *_, **__: "other code")
        return first, measure(cell, three, replace(store, spot_check=True))

    return run


def test_a_spot_check_makes_two_batches_and_takes_the_others_over(checked) -> None:
    first, second = checked(lambda: None)
    assert (Counted.calls, Fragile.calls) == (2, 2)
    told = "1 of 3 batches of the release, 1 of 3 batches of the attack"
    assert second.versions[TAKEN_OVER] == told
    assert TAKEN_OVER not in first.versions
    assert first.versions["cell"] != second.versions["cell"]
    assert {**first.outcome, "seconds": 0} == {**second.outcome, "seconds": 0}


def test_a_spot_check_takes_nothing_of_code_that_made_something_else(checked, monkeypatch) -> None:
    plant = "facecrafter.defences.noise.normal"
    first, second = checked(lambda: monkeypatch.setattr(plant, lambda *s, **_: torch.ones(s)))
    assert (Counted.calls, Fragile.calls) == (3, 3)
    assert TAKEN_OVER not in second.versions
    assert first.versions["release"] != second.versions["release"]


def test_a_spot_check_makes_what_earlier_code_did_not_finish(checked, store: Store) -> None:
    def lose() -> None:
        for made in store.work.glob("*/*/0001.safetensors"):
            made.write_bytes(b"torn")

    _, second = checked(lose)
    assert (Counted.calls, Fragile.calls) == (3, 3)
    assert TAKEN_OVER not in second.versions


def test_without_a_spot_check_other_code_makes_all_anew(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell("tiny", Counted(), Threat("fragile", Fragile()), 0)
    Fragile.calls, Fragile.breaks_at = 0, -1
    measure(cell, scene, store)
    monkeypatch.setattr(cells, "code", lambda *_, **__: "other code")
    measure(cell, scene, store)
    assert (Counted.calls, Fragile.calls) == (4, 4)


@dataclass(frozen=True)
class Fragile(AbstractAttack):
    """Decodes, counts batches, and breaks once."""

    calls = 0
    breaks_at = -1

    def fit(self, view: AttackerView, rng: torch.Generator) -> AbstractInverter:
        return _Fragile(view)


class _Fragile(AbstractInverter):
    def __init__(self, view: AttackerView) -> None:
        super().__init__()
        self.decoder = view.shadows[0]

    def forward(self, features: Features) -> Images:
        Fragile.calls += 1
        if Fragile.calls == Fragile.breaks_at:
            raise RuntimeError("power cut")
        return self.decoder(features)


def test_an_interrupted_attack_goes_on(scene: Scene, store: Store) -> None:
    Fragile.calls, Fragile.breaks_at = 0, 2
    cell = Cell("tiny", Counted(), Threat("fragile", Fragile()), 0)
    with pytest.raises(RuntimeError, match="power cut"):
        measure(cell, scene, store)
    measure(cell, scene, store)
    assert Fragile.calls == 3  # one, the broken one, and the broken one again
    assert Counted.calls == 2


def test_a_batch_that_was_killed_goes_on_within(
    scene: Scene, store: Store, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, work = Crafter(steps=4), Work(store.work / "release")
    whole = deploy(recipe, 0, scene, Work(tmp_path / "whole"))
    monkeypatch.setattr(kept, "SECONDS", -1.0)
    moves, move = [], _PixelGame.move

    def count(self: _PixelGame, *told: object) -> None:
        moves.append(told)
        if len(moves) == 3:
            raise KeyboardInterrupt
        move(self, *told)

    monkeypatch.setattr(_PixelGame, "move", count)
    with pytest.raises(KeyboardInterrupt):
        deploy(recipe, 0, scene, work)
    unfinished = work.unfinished(0)
    assert unfinished.exists()
    before = kept.seconds(unfinished)
    resumed = deploy(recipe, 0, scene, work)
    assert len(moves) == 3 + 2 + 4  # two batches; of the first one two steps were kept
    assert torch.equal(resumed.value, whole.value)
    assert resumed.seconds > before > 0
    assert not unfinished.exists()


def test_a_damaged_piece_is_made_again(scene: Scene, store: Store, table: Table) -> None:
    work = Work(store.work / "release")
    before = deploy(Counted(), 0, scene, work).value
    (work.folder / "0001.safetensors").write_bytes(b"torn")
    assert torch.equal(deploy(Counted(), 0, scene, work).value, before)
    assert Counted.calls == 3


def test_features_come_back_in_the_order_of_the_faces(scene: Scene, store: Store) -> None:
    released = deploy(Shuffled(Noise(0.0)), 0, scene, Work(store.work)).value
    with torch.no_grad():
        raw = scene.target.encode(scene.images(range(9)))
    torch.testing.assert_close(released, raw)


def test_faces_come_back_in_the_order_of_the_features(scene: Scene, store: Store) -> None:
    with torch.no_grad():
        raw = scene.target.encode(scene.images(range(9)))
        expected = scene.shadows[0](raw)
    faces = invert(Threat("one", Fragile()), 0, scene, raw, Work(store.work)).value
    assert torch.equal(faces, (expected * 255).round().byte())


def test_the_judge_counts_whom_it_names(scene: Scene, store: Store) -> None:
    originals = scene.images(range(9))
    with torch.no_grad():
        named = scene.bundle.need("judge")(originals).argmax(dim=1).numpy()
        raw = scene.target.encode(originals)
    right = replace(scene, labels=named)
    assert judge(right, raw, originals, Work(store.work))["eval_acc"] == 1
    wrong = replace(scene, labels=(named + 1) % 3)
    outcome = judge(wrong, raw, originals, Work(store.work))
    assert outcome["eval_acc"] == 0
    assert outcome["ssim"] == pytest.approx(1)
    assert outcome["fsim"] == pytest.approx(1)
    assert outcome["l_u"] == 0
    assert judge(wrong, raw + 3, originals, Work(store.work))["l_u"] == pytest.approx(9)


def test_photographs_without_attributes_do_not_enter_the_auc(scene: Scene, store: Store) -> None:
    attributes = scene.private_test.attributes.copy()
    attributes[2] = np.nan
    partly = replace(scene, private_test=replace(scene.private_test, attributes=attributes))
    with torch.no_grad():
        raw = scene.target.encode(scene.images(range(9)))
    outcome = judge(partly, raw, scene.images(range(9)), Work(store.work))
    assert outcome["auc_attributes"] + outcome["auc_left_out"] == attributes.shape[1]


def test_a_cell_of_another_scene_is_refused(scene: Scene, store: Store, table: Table) -> None:
    with pytest.raises(SettingError, match="elsewhere"):
        measure(Cell("elsewhere", Noise(1.0), table.threats[0], 0), scene, store)


def test_a_record_from_before_gets_what_is_verified_of_its_kept_faces(
    table: Table, scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = table.cells()[0]
    assert not measure(cell, scene, store).outcome.keys() & VERIFIED  # too few pairs for .001
    for name in RATES:
        monkeypatch.setitem(RATES, name, 0.2)
    record = measure(cell, scene, store)
    assert record.outcome.keys() >= VERIFIED
    assert 0 <= record.outcome["tar_1_low"] <= record.outcome["tar_1"]
    assert record.outcome["tar_1"] <= record.outcome["tar_1_high"] <= 1
    faces = kept_faces(cell, scene, store)
    assert faces is not None
    told = verify(scene, faces.float() / 255)
    assert told.items() <= record.outcome.items()
    assert measure(cell, scene, store) == record
    assert len(list(store.folder.glob("*.json"))) == 1
    fresh = measure(cell, scene, Store(store.folder.with_name("other"), store.work))
    assert fresh.outcome["tar_1"] == record.outcome["tar_1"]


def test_without_kept_faces_a_record_stays_as_it_was(
    table: Table, scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = table.cells()[0]
    record = measure(cell, scene, store)
    for name in RATES:
        monkeypatch.setitem(RATES, name, 0.2)
    assert measure(cell, scene, Store(store.folder, store.work / "gone")) == record
