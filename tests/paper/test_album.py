"""Pictures out of kept work: those of the cell, of the rows that were asked for, and no others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facecrafter.errors import SettingError
from facecrafter.paper import album
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.keeping import digest, work_of
from facecrafter.paper.measure import deploy, invert, measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.tiny import PEOPLE
from facecrafter.paper.work import Work


def test_shown_are_the_same_faces_each_time(scene: Scene) -> None:
    rows = album.shown(scene, 3)
    assert rows.tolist() == album.shown(scene, 3).tolist()
    assert rows.tolist() == album.shown(scene, 5)[:3].tolist()
    assert len(set(album.shown(scene, len(scene.private_test)).tolist())) == len(scene.private_test)
    people = scene.private_test.identities[rows]
    assert len(set(people.tolist())) == PEOPLE  # of each one, before any is shown again
    for count in (0, len(scene.private_test) + 1):
        with pytest.raises(SettingError, match=f"{count} faces"):
            album.shown(scene, count)


def test_strips_are_what_was_attacked_and_nothing_is_made_anew(
    table: Table, scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = table.cells()
    for cell in (first, second):
        measure(cell, scene, store)
    fresh = Work(store.work / "anew")
    released = deploy(first.defence, 0, scene, fresh).value
    faces = invert(first.threat, 0, scene, released, Work(store.work / "again")).value
    rows = np.array([4, 1])
    monkeypatch.setattr(Work, "piece", None)  # whoever makes something fails
    found = list(album.strips(table, scene, store, rows))
    names = [strip.record.threat["name"] for strip in found]
    assert names == [first.threat.name, second.threat.name]
    assert torch.equal(found[0].faces, faces[[4, 1]].float() / 255)
    assert not torch.equal(found[0].faces, found[1].faces)


def test_what_is_missing_is_left_out(table: Table, scene: Scene, store: Store) -> None:
    cell = table.cells()[0]
    measure(cell, scene, store)
    rows = album.shown(scene, 2)
    assert len(list(album.strips(table, scene, store, rows))) == 1
    assert not list(album.strips(replace(table, seeds=(1, 0)), scene, store, rows))
    assert not list(album.strips(table, scene, Store(store.folder, store.work / "other"), rows))
    attacked = work_of(store, cell.interception, scene.unjudged, _released(cell, scene, store))
    (attacked.folder / "0000.safetensors").unlink()
    assert not list(album.strips(table, scene, store, rows))


def _released(cell: Cell, scene: Scene, store: Store) -> str:
    kept = work_of(store, cell.deployment, scene.unjudged)
    return digest(deploy(cell.defence, cell.seed, scene, kept).value)
