"""How good a crafting is: Eval Acc against three attackers, L_u, mean AUC."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facecrafter.defences.base import AbstractDefence
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import invert, judge
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.work import Work
from facecrafter.types import Features

MORE_RECOGNISED = 0.01  # Eval Acc that may be lost to be called equal; the goal that we set
LESS_USEFUL = 0.005  # mean AUC, likewise


@dataclass(frozen=True)
class Quality:
    """Of one batch of faces."""

    eval_acc: Mapping[str, float]  # by threat, 0 to 1, lower is more private
    l_u: float  # from 0, lower is more useful
    auc: float  # 0 to 1, higher is more useful

    @property
    def worst(self) -> float:
        """Eval Acc of the strongest attack."""
        return max(self.eval_acc.values())


def as_good(ours: Quality, theirs: Quality) -> bool:
    """Whether ours is equal or better, in privacy and in use."""
    private = ours.worst <= theirs.worst + MORE_RECOGNISED
    return private and ours.auc >= theirs.auc - LESS_USEFUL


def attacked(scene: Scene, threats: tuple[Threat, ...], features: Features) -> Quality:
    """Measured now, with fresh attackers. `features`: of all private test faces of the scene."""
    outcomes: dict[str, Mapping[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for threat in threats:
            work = Work(Path(folder) / threat.name)
            faces = invert(threat, 0, scene, features.cpu(), work).value.float() / 255
            outcomes[threat.name] = judge(scene, features.cpu(), faces, Work(Path(folder)))
    return _quality(outcomes)


def stored(
    scene: Scene, threats: tuple[Threat, ...], defence: AbstractDefence, store: Store
) -> Quality | None:
    """Measured before by `facecrafter evaluate`; None if any of the attacks was not."""
    cells = {threat.name: Cell(scene.name, defence, threat, 0) for threat in threats}
    found = {name: store.find(cell.key(scene.digest)) for name, cell in cells.items()}
    outcomes = {name: record.outcome for name, record in found.items() if record is not None}
    return _quality(outcomes) if len(outcomes) == len(threats) else None


def _quality(outcomes: Mapping[str, Mapping[str, float]]) -> Quality:
    any_of_them = next(iter(outcomes.values()))
    recognised = {name: outcome["eval_acc"] for name, outcome in outcomes.items()}
    return Quality(recognised, any_of_them["l_u"], any_of_them["auc"])
