"""A cloud that trains on releases, on painted faces and with small networks."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.adv_face import AdvFace
from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline, Release, straight
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.defences.tiprdc import Tiprdc
from facecrafter.errors import DataError, ResultError, SettingError
from facecrafter.models.judge import Judge
from facecrafter.models.part import frozen
from facecrafter.paper import development, development_page, exposure
from facecrafter.paper.cells import Cell
from facecrafter.paper.development import (
    EXPRESSIONS,
    TASKS,
    Development,
    Setting,
    answer,
    balanced,
    collect,
    truth,
)
from facecrafter.paper.development_page import write_page
from facecrafter.paper.development_results import Results
from facecrafter.paper.exposure import Exposure, learn
from facecrafter.paper.redeployed import encoding
from facecrafter.paper.scenes import Scene, judge_labels
from facecrafter.paper.store import TAKEN_OVER, Store
from facecrafter.paper.tables import exposure as exposure_table
from facecrafter.paper.tables.development import DEFENCES, DEVELOPMENTS, REPORTED
from facecrafter.paper.threats import THREATS
from facecrafter.paper.tiny import WIDTHS, tiny
from facecrafter.training import loop
from facecrafter.training.decoder import DecoderTraining
from facecrafter.types import Images

PEOPLE = 6
PLAIN = Plain()
ATTRIBUTES = Development("attributes", 2, networks=2, widths=(16, 16), epochs=25, batch=12)
EXPRESSION = replace(ATTRIBUTES, task="expression")
QUICK = replace(ATTRIBUTES, networks=1, widths=(4,), epochs=1)
BATCHES = 5  # of the 60 private train photographs


def laughing(faces: Faces) -> Faces:
    """With an expression, told by a band: above for happiness, below for surprise; who it is
    says nothing of it. Of the first face it is not known."""
    words, pixels = np.resize(["neutral", "happiness", "surprise"], len(faces)), faces.images()
    pixels[words == "happiness", :, :12] = 1.0
    pixels[words == "surprise", :, -12:] = 1.0
    shown = (pixels * 255).round().byte().numpy()
    return replace(faces, pixels=shown, emotions=("", *words[1:].tolist()))


SPLITS = synthetic_splits(0, people=8, photographs=15, private_people=PEOPLE)
PRIVATE = laughing(SPLITS.private_train)


@pytest.fixture(scope="module")
def many() -> Scene:
    """30 test photographs of six painted people in three batches; untrained networks."""
    labels, small = judge_labels(SPLITS.private_train, SPLITS.private_test), tiny()
    bundle = replace(small.bundle, judge=frozen(Judge(PEOPLE, 18, WIDTHS)))
    return replace(
        small,
        name="many",
        bundle=bundle,
        private_test=laughing(SPLITS.private_test),
        public=laughing(SPLITS.public),
        labels=labels,
        batch=12,
    )


@dataclass(frozen=True)
class Counted(AbstractDefence):
    """Hides nothing, and counts how often it protects."""

    same: bool = False  # release the same for all: the feature of a grey picture
    calls = 0
    breaks_at = -1

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Counted(offline, self.same)


class _Counted(AbstractProtector):
    def __init__(self, offline: Offline, same: bool) -> None:
        super().__init__()
        self.offline, self.same = offline, same

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        Counted.calls += 1
        if Counted.calls == Counted.breaks_at:
            raise KeyboardInterrupt
        shown = torch.full_like(images, 0.5) if self.same else images
        return Release(self.offline.encode(shown).detach(), straight(images))


@pytest.fixture(autouse=True)
def _reset() -> None:
    Counted.calls, Counted.breaks_at = 0, -1


def setting(
    scene: Scene, work: Path, defence: AbstractDefence = PLAIN, recipe: Development = ATTRIBUTES
) -> Setting:
    return Setting(defence, recipe, 0, scene, PRIVATE, work)


@pytest.mark.parametrize("recipe", [ATTRIBUTES, EXPRESSION], ids=lambda recipe: recipe.task)
def test_what_can_be_learnt_is_learnt(many: Scene, tmp_path: Path, recipe: Development) -> None:
    outcome, taken = answer(setting(many, tmp_path, PLAIN, recipe))
    assert outcome["private_auc"] > 0.7  # other photographs of the same people
    if recipe.task == "expression":  # which is no matter of who it is
        assert outcome["public_auc"] > 0.8
        assert outcome["public_balanced"] > 0.6
    for side, faces in (("public", SPLITS.public), ("private", SPLITS.private_test)):
        low, high = outcome[f"{side}_auc_low"], outcome[f"{side}_auc_high"]
        assert low <= outcome[f"{side}_auc"] <= high
        unknown = recipe.task == "expression"
        assert outcome[f"{side}_faces"] == len(faces) - unknown
        assert np.mean(list(outcome[f"{side}_auc_by_question"].values())) == pytest.approx(
            outcome[f"{side}_auc"]
        )
    assert taken == ""


@pytest.mark.parametrize("task", TASKS)
def test_where_all_release_the_same_nothing_is_learnt(
    many: Scene, tmp_path: Path, task: development.TaskName
) -> None:
    outcome, _ = answer(setting(many, tmp_path, Counted(same=True), replace(QUICK, task=task)))
    assert outcome["private_auc"] == pytest.approx(0.5)
    if task == "expression":
        assert outcome["private_balanced"] == pytest.approx(1 / len(EXPRESSIONS))


def test_labels_go_with_their_photographs(many: Scene, tmp_path: Path) -> None:
    one = setting(many, tmp_path)
    collected = collect(one)
    assert collected.features.shape[:2] == (2, len(PRIVATE))
    assert torch.equal(collected.values, torch.from_numpy(PRIVATE.attributes))
    with torch.no_grad():
        both = torch.cat([PRIVATE.images(), PRIVATE.images().flip(3)])  # half of the views are
        raw = many.target.encode(both).flatten(1)
    nearest = torch.cdist(collected.features[0].flatten(1), raw).argmin(dim=1) % len(PRIVATE)
    assert (nearest == torch.arange(len(PRIVATE))).float().mean() > 0.8  # a view is near its own
    some = collect(replace(one, development=EXPRESSION))
    assert torch.equal(some.features, collected.features[:, 1:])  # of the first it is not known
    people = np.unique(PRIVATE.identities, return_inverse=True)[1]
    lesson = learn(one.releases)
    place = [torch.equal(lesson.features[0, i], collected.features[0, 7]) for i in range(60)]
    assert lesson.labels[place.index(True)] == people[7]


def test_expressions_are_told_apart() -> None:
    told = truth("expression", PRIVATE)
    assert told.names == EXPRESSIONS
    assert torch.equal(told.values.sum(dim=1), torch.ones(len(PRIVATE) - 1))
    other = [word == "surprise" for word in PRIVATE.emotions[1:]]
    assert torch.equal(told.values[:, 2] > 0, torch.tensor(other))
    with pytest.raises(DataError, match=r"emotions\.csv"):
        truth("expression", SPLITS.private_train)


def test_an_answer_that_nobody_gives_cannot_be_learnt(many: Scene, tmp_path: Path) -> None:
    neutral = replace(PRIVATE, emotions=("neutral",) * len(PRIVATE))
    with pytest.raises(DataError, match="happiness"):
        collect(replace(setting(many, tmp_path, PLAIN, EXPRESSION), private=neutral))


def test_balanced_counts_each_class_alike() -> None:
    wanted = torch.eye(3)[[0, 0, 0, 1]]  # nobody has the third
    always_the_first = torch.eye(3)[[0, 0, 0, 0]]
    assert balanced(always_the_first, wanted) == pytest.approx(0.5)
    assert balanced(wanted, wanted) == 1


def test_the_releases_are_those_of_expose(many: Scene, tmp_path: Path) -> None:
    kind = Exposure("protected", rounds=2, restarts=1, widths=(4,), epochs=1, batch=12)
    exposure.answer(exposure.Setting(Counted(), kind, 0, many, PRIVATE, tmp_path))
    assert Counted.calls == 3 + 2 * BATCHES
    for task in TASKS:
        answer(setting(many, tmp_path, Counted(), replace(QUICK, task=task)))
    assert Counted.calls == 3 + 2 * BATCHES


def test_a_killed_run_goes_on_and_ends_alike(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(QUICK, networks=2)
    whole = Results(tmp_path / "w").measure(setting(many, tmp_path / "ww", Counted(), recipe))
    results, broken = Results(tmp_path / "r"), setting(many, tmp_path / "rw", Counted(), recipe)
    Counted.calls, Counted.breaks_at = 0, 4
    with pytest.raises(KeyboardInterrupt):
        results.measure(broken)
    assert results.all() == []
    Counted.breaks_at = -1
    trained, train = list[str](), loop.run

    def stopped(job: loop.Job, folder: Path) -> None:
        trained.append(job.title)
        if len(trained) == 2:
            raise KeyboardInterrupt
        train(job, folder)

    with monkeypatch.context() as patch:
        patch.setattr(development, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            results.measure(broken)
    (first,) = (tmp_path / "rw").rglob("losses.jsonl")
    before, protected = first.read_bytes(), Counted.calls
    assert results.measure(broken).outcome == whole.outcome
    assert first.read_bytes() == before  # the first network was not trained again
    assert Counted.calls == protected


def test_what_is_there_is_not_measured_again(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w", Counted(), QUICK)
    first = results.measure(one)
    Counted.calls = 0
    assert results.measure(setting(many, tmp_path / "elsewhere", Counted(), QUICK)) == first
    assert Counted.calls == 0
    other_words = laughing(SPLITS.public)
    others = [
        replace(one, seed=1),
        replace(one, defence=Noise(1.0)),
        replace(one, development=replace(QUICK, task="expression")),
        replace(one, development=replace(QUICK, epochs=2)),
        replace(one, private=PRIVATE.take(range(1, 60))),
        replace(one, private=SPLITS.private_train),  # without expressions
        replace(one, scene=replace(many, minimum=2)),
        replace(one, scene=replace(many, public=other_words.take(range(1, 30)))),
        replace(one, scene=replace(many, public=SPLITS.public)),  # likewise
    ]
    assert [results.find(other) for other in others] == [None] * len(others)
    assert len({other.key for other in (one, *others)}) == 1 + len(others)
    with monkeypatch.context() as patch:
        patch.setattr(development, "code", lambda *_, **__: "other code")
        assert results.find(replace(one)) is None
        results.measure(replace(one))
    assert len(results.all()) == 1  # in the place of the older one


def test_a_spot_check_takes_over_what_earlier_code_released(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = setting(many, tmp_path / "w", Counted(), QUICK)
    Results(tmp_path / "r").measure(one)
    for place in ("facecrafter.paper.cells.code", "facecrafter.paper.exposure.code"):
        monkeypatch.setattr(place, lambda *_, **__: "other code")
    after = Results(tmp_path / "r").measure(replace(one, spot_check=True))
    told = "1 of 3 batches of the release, 8 of 10 batches of the collected"
    assert after.versions[TAKEN_OVER] == told


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: "",
        lambda record: json.dumps({**record, "outcome": {"public_auc": 0.5}}),
        lambda record: json.dumps({**record, "wall": float("nan")}),
    ],
    ids=["empty", "few", "nan"],
)
def test_a_damaged_result_is_named(many: Scene, tmp_path: Path, spoil) -> None:
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w", Plain(), QUICK)
    results.measure(one)
    (path,) = results.folder.iterdir()
    path.write_text(spoil(json.loads(path.read_text())))
    for look in (results.all, lambda: results.find(one), lambda: results.measure(one)):
        with pytest.raises(ResultError, match=f"{path.name}.*facecrafter develop"):
            look()


def test_the_page_holds_what_was_measured(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(development_page, "DEFENCES", (Plain(), Noise(1.0)))
    results = Results(tmp_path / "r")
    with pytest.raises(ResultError, match="facecrafter develop"):
        write_page(results, tmp_path)
    one = setting(many, tmp_path / "w", Noise(1.0), QUICK)
    noise = results.measure(one)
    assert "| drop |" in write_page(results, tmp_path).read_text()  # without Plain it is empty
    plain = results.measure(replace(one, defence=Plain()))
    faces = results.measure(replace(one, development=replace(QUICK, task="expression")))
    results.measure(replace(one, defence=Counted()))  # not of the table
    page = write_page(results, tmp_path).read_text()
    auc, lost = (
        noise.outcome["public_auc"],
        plain.outcome["public_auc"] - noise.outcome["public_auc"],
    )
    assert f"| Noise | {auc:.3f} ± 0.000 | {lost:.3f} | " in page
    assert f"| {faces.outcome['private_balanced']:.3f} ± 0.000 |" in page
    assert page.index("| Plain |") < page.index("| Noise |")
    assert "Counted" not in page
    plain_words = " ".join(page.split())
    for told in (
        "It is no general feature extractor",
        f"lowers mean AUC on public faces by {REPORTED[0]}",
        "from 43 to 10 %",
        "show the same people",
        "Smiling among them",
    ):
        assert told in plain_words
    results.measure(replace(one, development=replace(QUICK, epochs=2)))
    with pytest.raises(ResultError, match="two recipes"):
        write_page(results, tmp_path)


def test_several_seeds_are_told_as_such(
    many: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(development_page, "DEFENCES", (Plain(),))
    results, one = Results(tmp_path / "r"), setting(many, tmp_path / "w", Plain(), QUICK)
    aucs = [results.measure(replace(one, seed=seed)).outcome["public_auc"] for seed in (0, 1)]
    page = write_page(results, tmp_path).read_text()
    assert f"| Plain | {np.mean(aucs):.3f} ± {abs(aucs[0] - aucs[1]) / 2:.3f} | 0.000 |" in page
    assert "the mean over the seeds" in page


def test_settings_that_cannot_be_are_refused(many: Scene, tmp_path: Path) -> None:
    for wrong in (
        {"widths": ()},
        {"rounds": 0},
        {"networks": 0},
        {"batch": 1},
        {"rate": float("nan")},
    ):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            replace(ATTRIBUTES, **wrong)
    with pytest.raises(SettingError, match="public"):
        setting(replace(many, public=None), tmp_path)


def test_f_learns_and_is_asked_behind_the_encoder_of_a_game(many: Scene, tmp_path: Path) -> None:
    """As TIPRDC has it in the paper; the encoder is that of the attacks, trained once."""
    game = Tiprdc(epochs=1, batch=8, widths=(4, 4, 4), width=4)
    scene = replace(many, private_train=PRIVATE)
    one = setting(scene, tmp_path / "w", game, QUICK)
    record = Results(tmp_path / "r").measure(one)
    assert record.versions["scene"] == scene.digest  # so that it stands in one table with others
    played = (tmp_path / "w" / "games").glob("*/game/losses.jsonl")
    before = [path.read_bytes() for path in played]
    cell = Cell(scene.name, game, THREATS[0], 0)
    made = encoding(cell, scene, Store(tmp_path / "r", tmp_path / "w"))
    assert [
        path.read_bytes() for path in (tmp_path / "w" / "games").rglob("losses.jsonl")
    ] == before
    images = PRIVATE.images(range(3))
    players = game.play(scene.bundle.need("target"), PRIVATE, 0)
    torch.testing.assert_close(
        made.target.encode(images), players.target.encode(images), rtol=1e-4, atol=1e-5
    )
    assert answer(replace(one, scene=made))[0] == record.outcome
    with pytest.raises(SettingError, match="only where the cloud deploys"):
        answer(one)  # behind the bundle's Enc it would be no defence


def test_a_device_gets_what_its_defence_needs(many: Scene, tmp_path: Path) -> None:
    shadow = DecoderTraining(width=24, epochs=1, batch=8)
    one = setting(many, tmp_path / "w", AdvFace(0.5, steps=1, shadow=shadow), QUICK)
    assert Results(tmp_path / "r").measure(one).outcome["private_auc"] > 0
    assert [*(tmp_path / "w" / "equipment").iterdir()]


def test_the_table_is_that_of_expose_and_more_for_each_task() -> None:
    assert DEFENCES[: len(exposure_table.DEFENCES)] == exposure_table.DEFENCES
    assert isinstance(DEFENCES[0], Plain)  # what every drop is from
    assert tuple(one.task for one in DEVELOPMENTS) == TASKS
    protected = exposure_table.EXPOSURES[1]
    assert {one.rounds for one in DEVELOPMENTS} == {protected.rounds}  # releases are made once
