"""What networks trained on releases are worth: a JSON file for each defence, task and seed."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from facecrafter.paper.cells import Cell
from facecrafter.paper.development import Setting, answer
from facecrafter.paper.equipped import equipped
from facecrafter.paper.redeployed import encoding
from facecrafter.paper.results import AbstractResults
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import THREATS

_SPREAD = ("", "_low", "_high")  # over the networks
_SIDES = tuple(f"{side}_auc{end}" for side in ("public", "private") for end in _SPREAD)
_COUNTS = ("public_faces", "private_faces", "photographs")


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/development/*.json."""

    command = "facecrafter develop"
    measures = (*_SIDES, *_COUNTS)

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(replace(setting, scene=_as_left(setting)))

    def question(self, setting: Setting) -> dict[str, Any]:
        told = asdict(setting.development)
        told["widths"] = list(setting.development.widths)
        return {"name": told.pop("task"), "recipe": type(setting.development).__name__, **told}


def _as_left(setting: Setting) -> Scene:
    """The scene with the Enc that a game trained, or with what the device is handed.

    Made in the folder of work, where `facecrafter evaluate` finds it, too.
    """
    # a game and a device's networks are the same before all threats
    cell = Cell(setting.scene.name, setting.defence, THREATS[0], setting.seed)
    store = Store(setting.work, setting.work)
    return equipped(cell, encoding(cell, setting.scene, store), store)
