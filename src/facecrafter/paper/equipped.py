"""The scene as a defence finds it whose device is handed networks of its own."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from facecrafter.defences.base import Offline
from facecrafter.defences.equipped import AbstractEquipped, Equipped
from facecrafter.errors import SettingError
from facecrafter.paper.cells import METHODS, Cell, modules
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.training import basis


@dataclass(frozen=True, eq=False, kw_only=True)
class EquippedScene(Scene):
    """A device that was handed more than this scene's networks; all else is the same.

    Its digests are those of the scene that it was made from: what the device has besides follows
    from public faces and from the recipe, which a cell has in its key.
    """

    before: Scene
    handed: Equipped

    @cached_property
    def unjudged(self) -> str:
        return self.before.unjudged

    @cached_property
    def digest(self) -> str:
        return self.before.digest

    def offline(self) -> Offline:
        return self.handed


def equipped(cell: Cell, scene: Scene, store: Store) -> Scene:
    """The scene with what a cell's defence needs on the device; the same for most.

    Trains it in the store's folder of work: a killed run goes on, and all attacks, and all defences
    that need the same, share it. Raises `SettingError` for a scene without public faces.
    """
    defence = cell.defence
    if not isinstance(defence, AbstractEquipped):
        return scene
    if scene.public is None:
        raise SettingError(
            f"scene {scene.name!r} has no public faces, which the device of "
            f"{type(defence).__name__} learns from: give them as `public`."
        )
    folder = store.work / "equipment" / _name(defence, cell, scene)
    handed = defence.equip(scene.offline(), scene.public, cell.seed, folder, scene.device)
    own: dict[str, Any] = {part.name: getattr(scene, part.name) for part in fields(Scene)}
    return EquippedScene(**own, before=scene, handed=handed)


def _name(defence: "AbstractEquipped[Any]", cell: Cell, scene: Scene) -> str:
    """By all that is learnt from: also by the last bits of Enc, which another device has others."""
    lessons, encode = defence.lessons, basis.digest(scene.target.encode)
    own = code("models"), code(*METHODS, used_by=frozenset(modules(lessons)))
    told = repr((*own, lessons, cell.seed, encode, scene.taught))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
