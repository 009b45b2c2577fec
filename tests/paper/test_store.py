"""Result files: their fields, and what becomes of damaged ones and of a full disk."""

import errno
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.noise import Noise
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import ResultError
from facecrafter.paper import describe, provenance
from facecrafter.paper.cells import Table
from facecrafter.paper.files import write_whole
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import OUTCOME, REPLACED, Record, Store, read

KEY = "0123456789abcdef0123"
RECORD = Record(
    scene="tiny",
    defence={"name": "Plain"},
    threat={"name": "white-box"},
    seed=0,
    outcome=dict.fromkeys(OUTCOME, 0.5),
    reported=None,
    commit=None,
    versions={},
    machine={},
    wall=1.0,
)
FIELDS = [
    "scene",
    "defence",
    "threat",
    "seed",
    "outcome",
    "reported",
    "commit",
    "versions",
    "machine",
    "wall",
]


def test_a_result_has_exactly_these_fields(scene: Scene, store: Store, table: Table) -> None:
    measure(table.cells()[0], scene, store)
    (path,) = store.folder.iterdir()
    written = json.loads(path.read_text())
    assert list(written) == FIELDS
    assert written["defence"] == {"name": "Plain"}
    threat = written["threat"]
    attack = table.cells()[0].threat.attack
    assert threat.keys() == {"name", "sees", "recipe", *vars(attack)}
    assert (threat["name"], threat["recipe"]) == ("white-box", "LatentSearch")
    assert threat["search"] == {"name": "Descent", "steps": 2, "rate": 0.1}
    assert threat["restarts"] == 2
    assert written["reported"]["eval_acc"] == 0.8177
    assert written["machine"].keys() == {"cpu", "cores", "threads"}
    assert os.uname().nodename not in path.read_text()
    assert str(Path.cwd()) not in path.read_text()


def test_what_was_written_is_found(store: Store) -> None:
    assert store.find(KEY) is None
    store.write(KEY, RECORD)
    assert store.find(KEY) == RECORD
    assert store.all() == [RECORD]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"scene": "tiny", "defen',
        "[]",
        "{}",
        '{"name": "somebody else\'s"}',
        json.dumps({**vars(RECORD), "more": 1}),
        json.dumps({**vars(RECORD), "defence": "Plain"}),
        json.dumps({**vars(RECORD), "outcome": {"eval_acc": 0.5}}),
        json.dumps({**vars(RECORD), "wall": True}),
        json.dumps({**vars(RECORD), "wall": float("nan")}),
    ],
    ids=["empty", "torn", "list", "no fields", "foreign", "more", "defence", "few", "bool", "nan"],
)
def test_a_damaged_result_is_named(store: Store, text: str) -> None:
    path = store.write(KEY, RECORD)
    path.write_text(text)
    for look in (store.all, lambda: store.find(KEY)):
        with pytest.raises(ResultError, match=path.name):
            look()


def test_a_number_that_is_not_finite_is_not_written(store: Store) -> None:
    outcome = {**RECORD.outcome, "pii": float("nan")}
    with pytest.raises(ResultError, match="not finite"):
        store.write(KEY, replace(RECORD, outcome=outcome))
    assert store.all() == []


def test_one_record_of_a_cell_is_read_and_none_is_lost(store: Store) -> None:
    first = store.write(KEY, RECORD)
    others = [
        replace(RECORD, seed=1),
        replace(RECORD, defence={"name": "Plain", "strength": 2}),
        replace(RECORD, threat={"name": "hybrid"}),
        replace(RECORD, scene="tiny-4"),
    ]
    for number, other in enumerate(others):
        store.write(f"{number}" * 20, other)
    newer = replace(RECORD, outcome={**RECORD.outcome, "auc": 0.6})  # by other code
    store.write("f" * 20, newer)
    assert not first.exists()
    assert read(store.folder / REPLACED / first.name) == RECORD
    kept = store.all()
    assert len(kept) == 1 + len(others)
    assert all(record in kept for record in (newer, *others))


def test_two_processes_may_put_the_same_record_aside(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, replacing = store.write(KEY, RECORD), Path.replace

    def too_late(self: Path, target: Path) -> Path:
        if self == first:
            self.unlink()  # the other process was here
        return replacing(self, target)

    monkeypatch.setattr(Path, "replace", too_late)
    store.write("f" * 20, RECORD)
    assert store.all() == [RECORD]


def test_a_record_that_cannot_be_put_aside_is_named(store: Store) -> None:
    first = store.write(KEY, RECORD)
    (store.folder / REPLACED).write_text("a file, not a folder")
    with pytest.raises(ResultError, match=f"{first.name}.*the new result is written"):
        store.write("f" * 20, RECORD)
    (store.folder / REPLACED).unlink()
    assert store.find("f" * 20) == RECORD


def test_a_write_that_was_killed_halfway_is_finished_by_the_next_look(store: Store) -> None:
    first = store.write(KEY, RECORD)
    torn = first.read_bytes()
    newer = replace(RECORD, outcome={**RECORD.outcome, "auc": 0.6})
    store.write("f" * 20, newer)
    first.write_bytes(torn)  # written the newer one, and killed before this one was put aside
    assert store.find("f" * 20) == newer
    assert store.all() == [newer]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    store.write(KEY, RECORD)
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise failure

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "open" if step == "write" else "replace", fail)
    wanted = ResultError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(wanted):
        store.write("f" * 20, replace(RECORD, seed=1))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


def test_a_full_disk_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ResultError, match=r"No space left.*run the same command again"):
        write_whole(tmp_path / "a.json", b"{}")


def test_nested_recipes_are_described_with_all_fields() -> None:
    told = describe.of_defence(Crafter(beta=0.3))
    assert told["name"] == "Crafter"
    assert told["beta"] == 0.3
    assert told["opponent"]["name"] == "PixelOpponent"
    assert json.loads(json.dumps(told)) == told


def test_a_folder_of_the_machine_is_not_told(tmp_path: Path) -> None:
    told = describe.of_defence(Remembered(Noise(1.0), tmp_path / "memory.sqlite"))
    assert told["memory"] == "memory.sqlite"
    assert told["defence"] == {"name": "Noise", "deviation": 1.0}


@dataclass(frozen=True)
class Odd(Noise):
    inside: object = None


@pytest.mark.parametrize("inside", [float("inf"), object()])
def test_what_json_cannot_hold_is_refused(inside: object) -> None:
    with pytest.raises(ResultError):
        describe.of_defence(Odd(inside=inside))


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    provenance.commit.cache_clear()
    assert provenance.commit() is None
    provenance.commit.cache_clear()
