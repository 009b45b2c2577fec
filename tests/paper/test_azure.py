"""Azure Face as the judge, on the tiny scene: a server on this machine answers in its place."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from face_server import KEY, NO_FACE, NOBODY, STRANGER, Script, Sees, serving
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.errors import ResultError, ServiceError, SettingError
from facecrafter.inversion import Descent
from facecrafter.metrics.spread import confidence
from facecrafter.paper import azure_page
from facecrafter.paper.azure import Judging, Setting, delete_left, enrolled, file_of, left
from facecrafter.paper.azure_page import write_page
from facecrafter.paper.azure_results import Results
from facecrafter.paper.azure_service import FaceService
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.paper.tables.azure import ATTACKS, DEFENCES
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.threats import Threat, all_threats
from facecrafter.paper.tiny import PEOPLE, tiny

PROJECT = Path(__file__).parents[2]
KNOWN = synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE).private_train
WHITE = Threat("white-box", LatentSearch(Descent(2, 0.1), restarts=2))
PHOTOGRAPHS = 9
JUDGING = Judging()


def all_right(scene: Scene) -> list[Sees]:
    """The service sees the right person in every picture."""
    return [(int(label), 0.9) for label in scene.labels]


def service(endpoint: str, **settings: Any) -> FaceService:
    return FaceService(endpoint, KEY, **{"timeout": 5, "tries": 3, "pause": 0.001, **settings})


def setting(scene: Scene, store: Store, threat: Threat | None = WHITE, **more: Any) -> Setting:
    return Setting(
        **{"defence": Plain(), **more}, threat=threat, seed=0, scene=scene, known=KNOWN, store=store
    )


def measured(script: Script, tmp_path: Path, *settings: Setting) -> list[Record]:
    """What the service says of these, and nothing that it should not have seen."""
    with (
        serving(script) as endpoint,
        enrolled(service(endpoint), KNOWN, JUDGING, tmp_path / "notes") as group,
    ):
        results = Results(tmp_path / "azure", group)
        records = [results.measure(one) for one in settings]
    assert not script.faults
    assert not script.groups
    assert not left(tmp_path / "notes")
    return records


@pytest.fixture
def control(scene: Scene, store: Store) -> Setting:
    return setting(scene, store, None)


def test_a_whole_run(scene: Scene, store: Store, tmp_path: Path) -> None:
    sees = all_right(scene)
    sees[0] = (NO_FACE, 0.0)
    sees[1] = ((sees[1][0] + 1) % PEOPLE, 0.8)  # somebody else
    sees[2] = (NOBODY, 0.0)
    sees[3] = (sees[3][0], 0.4)  # right, but not sure
    script = Script(sees)
    (record,) = measured(script, tmp_path, setting(scene, store))
    outcome = record.outcome
    assert outcome["recognised"] == "000111111"
    assert outcome["found"] == "011111111"
    assert outcome["eval_acc"] == pytest.approx(6 / 9)
    assert outcome["sure"] == pytest.approx(5 / 9)
    assert outcome["not_found"] == pytest.approx(1 / 9)
    hits = torch.tensor([float(hit) for hit in outcome["recognised"]], dtype=torch.float64)
    interval = confidence(hits, torch.from_numpy(scene.private_test.identities))
    assert (outcome["eval_acc_low"], outcome["eval_acc_high"]) == (interval.low, interval.high)
    assert (outcome["people"], outcome["photographs"], outcome["refused"]) == (PEOPLE, 18, 0)
    assert outcome["always"] == pytest.approx(1 / PEOPLE)
    assert script.faces == dict.fromkeys(script.people, 6)
    # a painted face of nobody, then the group, and after it nothing but its end
    assert script.saw[:2] == ["detect", "create"]
    assert script.saw[-2:] == ["identify", "delete"]
    assert script.saw.count("detect") == 1 + PHOTOGRAPHS


def test_faces_are_those_of_evaluate_and_so_is_the_own_judges_word(
    scene: Scene, store: Store, tmp_path: Path
) -> None:
    cell = Cell(scene.name, Noise(1.0), WHITE, 0)
    before = measure(cell, scene, store).outcome
    pieces = {path: path.stat().st_mtime_ns for path in store.work.rglob("*.safetensors")}
    one = setting(scene, store, defence=Noise(1.0))
    (record,) = measured(Script(all_right(scene)), tmp_path, one)
    assert record.outcome["auc"] == before["auc"]
    assert record.outcome["eval_acc_here"] == before["eval_acc"]
    assert {path: path.stat().st_mtime_ns for path in pieces} == pieces
    assert set(store.work.rglob("*.safetensors")) == set(pieces)


def test_the_control_shows_the_photographs(
    control: Setting, scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[bytes] = []

    def detect(self: FaceService, picture: bytes, *_: str) -> None:
        shown.append(picture)

    monkeypatch.setattr(FaceService, "detect", detect)
    (record,) = measured(Script(), tmp_path, control)
    originals = scene.private_test.images()
    assert shown[1:] == [file_of((face * 255).round().byte(), 256) for face in originals]
    assert record.threat["name"] == "photographs"
    assert (record.outcome["eval_acc"], record.outcome["not_found"]) == (0.0, 1.0)


def test_pictures_are_enlarged_and_never_too_small_a_file() -> None:
    grey = file_of(torch.full((3, 64, 64), 7, dtype=torch.uint8), 256)
    with Image.open(io.BytesIO(grey)) as picture:
        assert picture.size == (256, 256)
        assert np.asarray(picture).tolist() == np.full((256, 256, 3), 7).tolist()
    assert len(grey) >= 1024
    red = torch.zeros(3, 64, 64, dtype=torch.uint8)
    red[0] = 255
    with Image.open(io.BytesIO(file_of(red, 128))) as picture:
        assert picture.getpixel((64, 64)) == (255, 0, 0)


def test_what_was_asked_is_not_asked_again(
    scene: Scene, store: Store, control: Setting, tmp_path: Path
) -> None:
    results = Results(tmp_path / "azure")
    (record,) = measured(Script(all_right(scene)), tmp_path, setting(scene, store))
    assert results.measure(setting(scene, store)) == record  # without a group
    with pytest.raises(SettingError, match="group"):
        results.measure(control)


def test_another_attack_seed_judging_or_person_is_another_question(
    scene: Scene, store: Store, control: Setting
) -> None:
    one = setting(scene, store)
    others = [
        control,
        setting(scene, store, defence=Noise(1.0)),
        setting(scene, store, replace(WHITE, attack=LatentSearch(Descent(3, 0.1), restarts=2))),
        replace(one, seed=1),
        replace(one, judging=Judging(side=200)),
        replace(one, known=KNOWN.take(np.arange(1, len(KNOWN)))),
        replace(one, scene=tiny(1)),
    ]
    assert len({one.key, *(other.key for other in others)}) == 1 + len(others)
    assert setting(scene, store).key == one.key


def test_photographs_without_a_face_are_counted(
    control: Setting, scene: Scene, tmp_path: Path
) -> None:
    script = Script(all_right(scene)).then("face", "no face in it", "no face in it")
    (record,) = measured(script, tmp_path, control)
    assert (record.outcome["photographs"], record.outcome["refused"]) == (16, 2)


def test_no_more_photographs_than_the_service_takes(
    scene: Scene, store: Store, tmp_path: Path
) -> None:
    script, notes = Script(), tmp_path / "notes"
    with (
        serving(script) as endpoint,
        enrolled(service(endpoint), KNOWN, Judging(most=4), notes) as group,
    ):
        assert (group.taken, group.left_out, group.refused) == (12, 6, 0)
    assert set(script.faces.values()) == {4}


ENDS = {
    "a person of whom it sees no face": ("face", ["no face in it"] * 6, "none of 6 photographs"),
    "training failed": ("training", ["training failed"], "There is no person in the group."),
    "5xx for ever": ("detect", [None, *["broken"] * 9], "3 tries"),
    "no approval, late": ("identify", ["not approved"], "Microsoft must have approved it"),
    "no JSON": ("identify", ["no JSON"], "documentation"),
    "another face": (
        "identify",
        [{"status": 200, "body": [{"faceId": "0-1", "candidates": []}]}],
        "other ones",
    ),
}


@pytest.mark.parametrize(("call", "answers", "told"), ENDS.values(), ids=ENDS)
def test_the_group_is_deleted_after_a_failure(
    call: str, answers: list[Any], told: str, control: Setting, scene: Scene, tmp_path: Path
) -> None:
    script = Script(all_right(scene)).then(call, *answers)
    with pytest.raises(ServiceError, match=told) as error:
        measured(script, tmp_path, control)
    assert KEY not in str(error.value)
    assert script.saw[-1] == "delete"
    assert not script.groups
    assert not left(tmp_path / "notes")
    assert not list((tmp_path / "azure").glob("*"))


def test_a_name_from_outside_the_group_is_refused(control: Setting, tmp_path: Path) -> None:
    script = Script([(STRANGER, 0.9)] * PHOTOGRAPHS)
    with pytest.raises(ServiceError, match="not in the group"):
        measured(script, tmp_path, control)
    assert script.saw[-1] == "delete"


def test_the_group_is_deleted_after_ctrl_c(
    control: Setting, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    script = Script(all_right(scene))
    monkeypatch.setattr(FaceService, "identify", stopped)
    with pytest.raises(KeyboardInterrupt):
        measured(script, tmp_path, control)
    assert script.saw[-1] == "delete"
    assert not script.groups
    assert not left(tmp_path / "notes")


@pytest.mark.parametrize("answer", ["wrong key", "not approved"])
def test_who_may_not_ask_shows_no_photograph(answer: str, control: Setting, tmp_path: Path) -> None:
    script = Script().then("detect", answer)
    with pytest.raises(ServiceError):
        measured(script, tmp_path, control)
    assert script.saw == ["detect"]
    assert not left(tmp_path / "notes")


@pytest.mark.parametrize("stops", [False, True], ids=["after success", "after a failure"])
def test_a_group_that_stays_is_told_and_can_be_deleted_later(
    stops: bool, control: Setting, scene: Scene, tmp_path: Path
) -> None:
    script = Script(all_right(scene)).then("delete", *["broken"] * 3)
    if stops:
        script.then("identify", "no JSON")
    notes = tmp_path / "notes"
    with serving(script) as endpoint:
        asked = service(endpoint)
        with (
            pytest.raises(ServiceError, match="--delete-left") as told,
            enrolled(asked, KNOWN, JUDGING, notes) as group,
        ):
            Results(tmp_path / "azure", group).measure(control)
        assert ("no JSON" in str(told.value)) == stops
        (note,) = left(notes)
        assert script.groups == {note.name}
        assert note.name in str(told.value)
        assert KEY not in note.read_text() + str(told.value)
        with serving(Script()) as other, pytest.raises(ServiceError, match="another endpoint"):
            delete_left(service(other), notes)
        assert delete_left(asked, notes) == 1
    assert not script.groups
    assert not left(notes)
    assert not script.faults


def test_the_key_is_in_no_file(control: Setting, scene: Scene, tmp_path: Path) -> None:
    measured(Script(all_right(scene)), tmp_path, control)
    write_page(Results(tmp_path / "azure"), tmp_path / "docs")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        data = path.read_bytes()
        assert KEY.encode() not in data
        assert b"127.0.0.1" not in data


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_page, "DEFENCES", (Plain(), Noise(1.0), Noise(2.0)))


def test_the_page_says_what_was_not_run(
    small: None, scene: Scene, store: Store, control: Setting, tmp_path: Path
) -> None:
    results, docs = Results(tmp_path / "azure"), tmp_path / "docs"
    empty = write_page(results, docs).read_text()
    rows = [line for line in empty.splitlines() if line.count("|") == 9][2:]
    assert len(rows) == 1 + 3 * len(ATTACKS)
    assert all(line.count("not run") == 6 for line in rows)
    assert "Nobody has run this" in empty
    one = setting(scene, store, defence=Noise(1.0))
    sees = [(NO_FACE, 0.0), *all_right(scene)[1:]]
    records = measured(Script([*sees, *all_right(scene)]), tmp_path, one, control)
    page = write_page(results, docs).read_text()
    rows = [line for line in page.splitlines() if line.count("|") == 9][2:]
    assert sum("not run" in line for line in rows) == 3 * len(ATTACKS) - 1
    auc = f"{records[0].outcome['auc']:.3f}"
    assert f"| Noise deviation 1 | white-box | {auc} | 88.9 % | " in page
    assert " | 88.9 % | 11.1 % | " in page
    assert "| none: the photographs | none | " in page
    assert "Nobody has run this" not in page
    assert "18 train photographs of 3 people" in page
    assert records[0].outcome["date"] in page


def test_two_ways_of_asking_are_no_one_page(
    small: None, scene: Scene, store: Store, tmp_path: Path
) -> None:
    settings = [
        setting(scene, store),
        setting(scene, store, defence=Noise(1.0), judging=Judging(side=256, sure=0.6)),
    ]
    measured(Script([*all_right(scene)] * 2), tmp_path, *settings)
    with pytest.raises(ResultError, match="two recipes"):
        write_page(Results(tmp_path / "azure"), tmp_path / "docs")


def test_the_page_of_the_project_is_that_of_its_results(tmp_path: Path) -> None:
    """If not, write it: `write_page(Results(Path("results/azure")), Path("docs"))`."""
    results = Results(PROJECT / "results/azure")
    assert write_page(results, tmp_path).read_text() == (PROJECT / "docs/azure.md").read_text()


def test_what_is_asked_about_evaluate_measures() -> None:
    assert set(DEFENCES) <= set(LFW64.defences)
    assert set(ATTACKS) <= set(all_threats())
