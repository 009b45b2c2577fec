"""How good a crafting is: Eval Acc against three attackers, L_u, mean AUC."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from facecrafter.defences.base import AbstractDefence
from facecrafter.paper import describe
from facecrafter.paper.measure import invert, judge
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.paper.threats import THREATS, Threat
from facecrafter.paper.work import Work
from facecrafter.types import Features

MORE_RECOGNISED = 0.01  # Eval Acc that may be lost to be called equal; the goal that we set
LESS_USEFUL = 0.005  # mean AUC, likewise


@dataclass(frozen=True)
class Quality:
    """Of one batch of faces; the mean over seeds, where there are several."""

    eval_acc: Mapping[str, float]  # by threat, 0 to 1, lower is more private
    l_u: float  # from 0, lower is more useful
    auc: float  # 0 to 1, higher is more useful
    source: str  # when and with what code it was measured
    seeds: tuple["Quality", ...] = ()  # each one's, where there are several

    @property
    def worst(self) -> float:
        """Eval Acc of the strongest attack: chosen seed by seed, as for one seed."""
        own = [one.worst for one in self.seeds]
        return fmean(own) if own else max(self.eval_acc.values())

    def spread(self, measure: Callable[["Quality"], float]) -> float:
        """Half of a measure's range over the seeds; 0 for one seed."""
        values = [measure(one) for one in self.seeds or (self,)]
        return (max(values) - min(values)) / 2


def as_good(ours: Quality, theirs: Quality) -> bool:
    """Whether ours is equal or better, in privacy and in use."""
    private = ours.worst <= theirs.worst + MORE_RECOGNISED
    return private and ours.auc >= theirs.auc - LESS_USEFUL


def hides(one: Quality, plain: Quality) -> bool:
    """Whether it is more private than no defence, by more than what is called equal."""
    return one.worst < plain.worst - MORE_RECOGNISED


def attacked(scene: Scene, threats: tuple[Threat, ...], features: Features) -> Quality:
    """Measured now, with fresh attackers. `features`: of all private test faces of the scene."""
    outcomes: dict[str, Mapping[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for threat in threats:
            work = Work(Path(folder) / threat.name)
            faces = invert(threat, 0, scene, features.cpu(), work).value.float() / 255
            outcomes[threat.name] = judge(scene, features.cpu(), faces, Work(Path(folder)))
    return _quality(outcomes, "now")


def stored(
    store: Store, scene: str, defence: AbstractDefence, digest: str | None = None
) -> Quality | None:
    """Measured before by `facecrafter evaluate`, the mean of the seeds that have all attacks.

    `digest`: of a scene; what was measured with other faces or networks does not count. None if
    nothing was measured.
    """
    wanted, names = describe.of_defence(defence), {threat.name for threat in THREATS}
    found: dict[tuple[int, str], dict[str, Record]] = {}  # by seed and release
    for record in store.all():
        told = record.versions
        if (record.scene, record.defence) == (scene, wanted) and digest in (None, told["scene"]):
            found.setdefault((record.seed, told["release"]), {})[record.threat["name"]] = record
    whole = [by_threat for by_threat in found.values() if set(by_threat) >= names]
    return _mean([_of(by_threat) for by_threat in whole]) if whole else None


def _of(records: Mapping[str, Record]) -> Quality:
    commits = sorted({(record.commit or "unknown")[:12] for record in records.values()})
    outcomes = {name: record.outcome for name, record in records.items()}
    return _quality(outcomes, f"results, commit {', '.join(commits)}")


def _mean(seeds: Sequence[Quality]) -> Quality:
    if len(seeds) == 1:
        return seeds[0]
    accuracies = {name: fmean(one.eval_acc[name] for one in seeds) for name in seeds[0].eval_acc}
    lost, auc = fmean(one.l_u for one in seeds), fmean(one.auc for one in seeds)
    return Quality(accuracies, lost, auc, f"results, {len(seeds)} seeds", tuple(seeds))


def _quality(outcomes: Mapping[str, Mapping[str, Any]], source: str) -> Quality:
    any_of_them = next(iter(outcomes.values()))
    recognised = {name: outcome["eval_acc"] for name, outcome in outcomes.items()}
    return Quality(recognised, any_of_them["l_u"], any_of_them["auc"], source)
