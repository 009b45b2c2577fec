"""Many cells: what is there is kept, processes give what one process gives."""

import os
from functools import partial
from pathlib import Path

import pytest

from facecrafter.errors import ResultError, SettingError
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.evaluate import Summary, evaluate
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.paper.tiny import tiny
from mortal import killed


def outcome(record: Record) -> dict[str, object]:
    return {**record.outcome, "seconds": 0}


def test_all_cells_are_measured_and_then_kept(scene: Scene, table: Table, store: Store) -> None:
    cells = table.cells()
    steps = list(evaluate(cells[:2], lambda: scene, store))
    assert [step.done for step in steps] == [1, 2]
    assert "Plain() against white-box, seed 0: Eval Acc" in str(steps[0])
    again = list(evaluate(cells[:3], lambda: scene, store))
    assert [step.kept for step in again] == [True, True, False]
    assert Summary.of(again).measured == 1
    assert "2 were there" in str(Summary.of(again))


def test_a_stopped_loop_keeps_what_was_measured(scene: Scene, table: Table, store: Store) -> None:
    for _ in evaluate(table.cells(), lambda: scene, store):
        break
    assert len(store.all()) == 1


def test_two_processes_give_what_one_gives(table: Table, store: Store, tmp_path: Path) -> None:
    cells = [cell for cell in table.cells() if cell.threat.name == "black-box"]
    apart = list(evaluate(cells, tiny, store, processes=2))
    here = list(evaluate(cells, tiny, Store(tmp_path / "r", tmp_path / "w")))
    by_cell = {str(step.cell): outcome(step.record) for step in here}
    assert {str(step.cell): outcome(step.record) for step in apart} == by_cell


def test_a_killed_process_is_told(table: Table, store: Store) -> None:
    with pytest.raises(ResultError, match=r"exit code -9.*run the same command again"):
        list(evaluate(table.cells()[:1], partial(killed, os.getpid()), store, processes=2))


def test_an_error_in_a_process_is_raised_here(table: Table, store: Store) -> None:
    lost = [Cell("elsewhere", table.defences[0], table.threats[0], 0)]
    with pytest.raises(SettingError, match="elsewhere"):
        list(evaluate(lost, tiny, store, processes=2))


def test_no_process_is_refused(table: Table, store: Store) -> None:
    with pytest.raises(SettingError, match="processes=0"):
        list(evaluate(table.cells(), tiny, store, processes=0))
