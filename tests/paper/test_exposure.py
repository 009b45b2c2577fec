"""An attacker who knows other features by name, on painted faces and with small networks."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline, Release, straight
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.errors import DataError, ResultError, SettingError
from facecrafter.models.judge import Judge
from facecrafter.models.part import frozen
from facecrafter.paper import exposure, exposure_page
from facecrafter.paper.cells import Cell
from facecrafter.paper.exposure import Exposure, Setting, answer, learn
from facecrafter.paper.exposure_page import write_page
from facecrafter.paper.exposure_results import Results
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene, judge_labels
from facecrafter.paper.store import TAKEN_OVER, Store
from facecrafter.paper.tables.exposure import DEFENCES, EXPOSURES, REPORTED
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import WIDTHS, tiny
from facecrafter.training import loop
from facecrafter.types import Images

PEOPLE = 6
PLAIN = Plain()
ORIGINAL = Exposure("original", rounds=3, restarts=2, widths=(16, 16), epochs=25, batch=12)
PROTECTED = replace(ORIGINAL, kind="protected", rounds=2)
QUICK = replace(ORIGINAL, rounds=2, restarts=1, widths=(4,), epochs=1)
SPLITS = synthetic_splits(0, people=8, photographs=15, private_people=PEOPLE)
BATCHES = 5  # of the 60 exposed photographs


@pytest.fixture(scope="module")
def many() -> Scene:
    """30 test photographs of six painted people in three batches; untrained networks."""
    labels, small = judge_labels(SPLITS.private_train, SPLITS.private_test), tiny()
    bundle = replace(small.bundle, judge=frozen(Judge(PEOPLE, 18, WIDTHS)))
    test = SPLITS.private_test
    return replace(small, name="many", bundle=bundle, private_test=test, labels=labels, batch=12)


@dataclass(frozen=True)
class Same(AbstractDefence):
    """Releases the same for all photographs: the feature of a grey picture."""

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Same(offline)


class _Same(AbstractProtector):
    def __init__(self, offline: Offline) -> None:
        super().__init__()
        self.offline = offline

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        feature = self.offline.encode(torch.full_like(images, 0.5)).detach()
        return Release(feature, straight(images))


@dataclass(frozen=True)
class Mirrored(AbstractDefence):
    """Hides nothing, but the features look otherwise: only who learns from them reads them."""

    calls = 0
    breaks_at = -1

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Mirrored(offline)


class _Mirrored(AbstractProtector):
    def __init__(self, offline: Offline) -> None:
        super().__init__()
        self.offline = offline

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        Mirrored.calls += 1
        if Mirrored.calls == Mirrored.breaks_at:
            raise KeyboardInterrupt
        raw = self.offline.encode(images).detach()
        return Release(raw.mean() - raw.roll(3, dims=1), straight(images))


@pytest.fixture(autouse=True)
def _reset() -> None:
    Mirrored.calls, Mirrored.breaks_at = 0, -1


def setting(
    scene: Scene, work: Path, defence: AbstractDefence = PLAIN, recipe: Exposure = ORIGINAL
) -> Setting:
    return Setting(defence, recipe, 0, scene, SPLITS.private_train, work)


def test_plain_features_are_named_far_above_chance(many: Scene, tmp_path: Path) -> None:
    outcome, _ = answer(setting(many, tmp_path))
    assert outcome["top1_always"] == pytest.approx(1 / PEOPLE)
    assert outcome["top5_always"] == pytest.approx(5 / PEOPLE)
    assert outcome["top1"] > 0.6
    assert outcome["top5"] > 0.9
    assert outcome["top1_low"] <= outcome["top1"] <= outcome["top1_high"]
    assert outcome["top1_of_a_person"] == pytest.approx(outcome["top1"])  # as many of each
    assert outcome["named"].count("1") / outcome["faces"] == outcome["top1"]
    assert (outcome["faces"], outcome["photographs"]) == (30, 60)


@pytest.mark.parametrize("recipe", [ORIGINAL, PROTECTED], ids=lambda recipe: recipe.kind)
def test_where_all_release_the_same_nobody_is_named(
    many: Scene, tmp_path: Path, recipe: Exposure
) -> None:
    outcome, _ = answer(setting(many, tmp_path, Same(), recipe))
    assert outcome["top1"] == pytest.approx(1 / PEOPLE)  # one person, always
    assert outcome["top1_of_a_person"] == pytest.approx(1 / PEOPLE)
    assert outcome["auc"] == pytest.approx(0.5)


def test_who_learns_from_a_defence_reads_what_others_do_not(many: Scene, tmp_path: Path) -> None:
    others, _ = answer(setting(many, tmp_path, Mirrored()))
    learnt, _ = answer(setting(many, tmp_path, Mirrored(), PROTECTED))
    assert others["top1"] < 0.4
    assert learnt["top1"] > 0.6
    assert learnt["auc"] == others["auc"]


def test_labels_go_with_their_photographs(many: Scene, tmp_path: Path) -> None:
    lesson = learn(setting(many, tmp_path))
    train = SPLITS.private_train
    assert lesson.features.shape[:2] == (3, len(train))
    assert lesson.people == PEOPLE
    with torch.no_grad():
        both = torch.cat([train.images(), train.images().flip(3)])  # half of the views are
        raw = many.target.encode(both).flatten(1)
    people = torch.from_numpy(train.identities - train.identities.min()).repeat(2)
    nearest = torch.cdist(lesson.features[0].flatten(1), raw).argmin(dim=1)
    assert (people[nearest] == lesson.labels).float().mean() > 0.9  # a view is near its photograph
    assert not torch.equal(lesson.features[0], lesson.features[1])


def test_a_killed_run_goes_on_and_ends_alike(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(QUICK, kind="protected", restarts=2)
    whole = Results(tmp_path / "w").measure(setting(many, tmp_path / "ww", Mirrored(), recipe))
    assert Mirrored.calls == 3 + 2 * BATCHES  # the release, and two rounds of the lesson
    results, broken = Results(tmp_path / "r"), setting(many, tmp_path / "rw", Mirrored(), recipe)
    Mirrored.calls, Mirrored.breaks_at = 0, 3 + 4
    with pytest.raises(KeyboardInterrupt):
        results.measure(broken)
    assert results.all() == []
    Mirrored.breaks_at = -1
    trained, train = list[str](), loop.run

    def stopped(job: loop.Job, folder: Path) -> None:
        trained.append(job.title)
        if len(trained) == 2:
            raise KeyboardInterrupt
        train(job, folder)

    with monkeypatch.context() as patch:
        patch.setattr(exposure, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            results.measure(broken)
    assert Mirrored.calls == 7 + 2 * BATCHES - 3  # the broken one again, and those after it
    (first,) = (tmp_path / "rw").rglob("losses.jsonl")
    before = first.read_bytes()
    record = results.measure(broken)
    assert Mirrored.calls == 7 + 2 * BATCHES - 3
    assert first.read_bytes() == before  # the first network was not trained again
    assert {**record.outcome, "seconds": 0} == {**whole.outcome, "seconds": 0}


def test_what_is_there_is_not_measured_again(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w", Mirrored(), QUICK)
    first = results.measure(one)
    Mirrored.calls = 0
    assert results.measure(setting(many, tmp_path / "elsewhere", Mirrored(), QUICK)) == first
    assert Mirrored.calls == 0
    others = [
        replace(one, seed=1),
        replace(one, defence=Noise(1.0)),
        replace(one, exposure=replace(QUICK, kind="protected")),
        replace(one, exposure=replace(QUICK, epochs=2)),
        replace(one, exposed=SPLITS.private_train.take(range(1, 60))),
        replace(one, scene=replace(many, minimum=2)),
    ]
    assert [results.find(other) for other in others] == [None] * len(others)
    assert len({other.key for other in (one, *others)}) == 1 + len(others)
    with monkeypatch.context() as patch:
        patch.setattr(exposure, "code", lambda *_, **__: "other code")
        assert results.find(replace(one)) is None
        results.measure(replace(one))
    assert len(results.all()) == 1  # in the place of the older one


def test_the_release_of_evaluate_is_read_and_not_made_again(many: Scene, store: Store) -> None:
    threat = Threat("black-box", ShadowDecoder(restarts=2), "black-box")
    measure(Cell("many", Mirrored(), threat, 0), many, store)
    assert Mirrored.calls == 3
    answer(setting(many, store.work, Mirrored(), QUICK))
    assert Mirrored.calls == 3
    answer(replace(setting(many, store.work, Mirrored(), QUICK), seed=1))
    assert Mirrored.calls == 6


def test_a_lesson_of_originals_is_shared_and_more_rounds_are_added(
    many: Scene, tmp_path: Path
) -> None:
    one = setting(many, tmp_path, Mirrored(), QUICK)
    other = replace(one, defence=Noise(1.0))
    assert one.kept_network(0) == other.kept_network(0)
    assert one.kept_releases() == other.kept_releases()
    learnt = replace(one, exposure=replace(QUICK, kind="protected"))
    assert learnt.kept_network(0) != one.kept_network(0)
    learn(learnt)
    assert Mirrored.calls == 2 * BATCHES
    learn(replace(learnt, exposure=replace(QUICK, kind="protected", rounds=3)))
    assert Mirrored.calls == 3 * BATCHES


def test_a_spot_check_takes_over_what_earlier_code_released(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, results = replace(QUICK, kind="protected"), Results(tmp_path / "r")
    one = setting(many, tmp_path / "w", Mirrored(), recipe)
    before = results.measure(one)
    Mirrored.calls = 0
    for place in ("facecrafter.paper.cells.code", "facecrafter.paper.exposure.code"):
        monkeypatch.setattr(place, lambda *_, **__: "other code")
    after = results.measure(replace(one, spot_check=True))
    assert Mirrored.calls == 2 + 2
    told = "1 of 3 batches of the release, 8 of 10 batches of the lesson"
    assert after.versions[TAKEN_OVER] == told
    assert after.outcome["named"] == before.outcome["named"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: "",
        lambda record: "[]",
        lambda record: json.dumps({**record, "more": 1}),
        lambda record: json.dumps({**record, "outcome": {"top1": 0.5}}),
        lambda record: json.dumps({**record, "threat": "original"}),
        lambda record: json.dumps({**record, "outcome": {**record["outcome"], "auc": True}}),
        lambda record: json.dumps({**record, "wall": float("nan")}),
        lambda record: json.dumps({**record, "seed": None}),
    ],
    ids=["empty", "list", "more", "few", "kind", "bool", "nan", "seed"],
)
def test_a_damaged_result_is_named(many: Scene, tmp_path: Path, spoil) -> None:
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w", Plain(), QUICK)
    results.measure(one)
    (path,) = results.folder.iterdir()
    path.write_text(spoil(json.loads(path.read_text())))
    for look in (results.all, lambda: results.find(one), lambda: results.measure(one)):
        with pytest.raises(ResultError, match=f"{path.name}.*facecrafter expose"):
            look()


def test_the_results_of_evaluate_do_not_see_these(many: Scene, tmp_path: Path) -> None:
    store = Store(tmp_path / "results", tmp_path / "work")
    results = Results(store.folder / "exposure")
    results.measure(setting(many, store.work, Plain(), QUICK))
    assert len(results.all()) == 1
    assert store.all() == []


def test_the_page_holds_what_was_measured(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposure_page, "DEFENCES", (Plain(), Noise(1.0)))
    results = Results(tmp_path / "r")
    with pytest.raises(ResultError, match="facecrafter expose"):
        write_page(results, tmp_path)
    one = setting(many, tmp_path / "w", Noise(1.0), QUICK)
    noise = results.measure(one)
    plain = results.measure(replace(one, defence=Plain()))
    results.measure(replace(one, defence=Same()))  # not of the table
    page = write_page(results, tmp_path).read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| Plain |", "| Noise |"))]
    for row, record in zip(rows[:2], (plain, noise), strict=True):
        outcome = record.outcome
        assert f"| {outcome['auc']:.3f} | {100 * outcome['top1']:.1f} % | " in row
        assert row.endswith("| not measured | not measured |")
    assert "Same" not in page
    assert "always. Guessing evenly among the 6 people\ngives 16.7 %" in page
    for _, exposed in REPORTED.values():
        assert f"| {100 * exposed:.2f} % |" in page
    results.measure(replace(one, exposure=replace(QUICK, epochs=2)))
    with pytest.raises(ResultError, match="two recipes"):
        write_page(results, tmp_path)


def test_a_person_whom_nobody_exposed_is_told(many: Scene, tmp_path: Path) -> None:
    train = SPLITS.private_train
    some: Faces = train.take(train.identities != train.identities[0])
    with pytest.raises(DataError, match="was not trained on"):
        answer(replace(setting(many, tmp_path), exposed=some))


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"widths": ()},
        {"widths": (4, 0)},
        {"rounds": 0},
        {"rate": float("nan")},
        {"smoothing": 1.0},
    ):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            replace(ORIGINAL, **wrong)


def test_the_table_has_each_defence_and_each_kind_once() -> None:
    assert isinstance(DEFENCES[0], Plain)  # what the attacker is worth
    assert len(set(DEFENCES)) == len(DEFENCES)
    assert [exposure.kind for exposure in EXPOSURES] == ["original", "protected"]
