"""Records gathered into points: a defence under a threat, over all seeds."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from scipy.stats import rankdata

from facecrafter.errors import ResultError
from facecrafter.paper import describe
from facecrafter.paper.cells import Table
from facecrafter.paper.store import Record, Store

STRONGEST = "strongest"  # the threat with the highest mean Eval Acc
# parts of a defence whose family bears no more than its name
DEFAULT_PARTS = {
    "opponent": "PixelOpponent",
    "utility": "FeatureUtility",
    "distance": "AssignedDistance",
    "ensemble": "Ensemble",
}
ANY = "any"  # a face counts as recognised if any of the threats got it recognised


@runtime_checkable
class Described(Protocol):
    """What has a defence as JSON, such as a `Record`."""

    @property
    def defence(self) -> Mapping[str, Any]: ...


Told = TypeVar("Told", bound=Described)


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, and the least and greatest of them."""

    mean: float
    low: float
    high: float
    count: int  # of seeds; of one there is no spread to tell

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(sum(values) / len(values), min(values), max(values), len(values))

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Mean, least, greatest."""
        return self.mean, self.low, self.high

    def times(self, factor: float) -> "Spread":
        """In another unit."""
        mean, low, high = (factor * value for value in self.bounds)
        return Spread(mean, low, high, self.count)

    @property
    def half(self) -> float:
        """Half of the range."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Point:
    """What was measured of one defence under one threat."""

    label: str  # the family and the fields that tell its members apart
    family: str  # the defence's name, and the names of its parts that are not the usual ones
    threat: str
    seeds: int
    measures: Mapping[str, Spread]  # outcome by outcome

    def __getitem__(self, name: str) -> Spread:
        return self.measures[name]


def points(records: Sequence[Record]) -> list[Point]:
    """One point for each defence and threat, and for each defence `STRONGEST` and `ANY`.

    Raises `ResultError` where two records do not belong into one table.
    """
    _refuse_mixture(records)
    found: list[Point] = []
    for label, mine in by_label(records).items():
        threats = {name: list[Record]() for name in sorted({r.threat["name"] for r in mine})}
        for record in mine:
            threats[record.threat["name"]].append(record)
        real = [_point(label, name, theirs) for name, theirs in threats.items()]
        strongest = max(real, key=lambda point: point["eval_acc"].mean)
        family = strongest.family
        found += real
        found.append(Point(label, family, STRONGEST, strongest.seeds, strongest.measures))
        found += _any(label, family, threats)
    return found


def records_of(table: Table, store: Store) -> list[Record]:
    """What a store holds of a table. Raises `ResultError`."""
    return among(table, store.all())


def among(table: Table, records: Iterable[Record]) -> list[Record]:
    """Tables may share a scene, and a defence that left the table has no place on its page."""
    defences = [describe.of_defence(defence) for defence in table.defences]
    threats = {threat.name for threat in table.threats}
    return [
        record
        for record in records
        if record.scene == table.scene
        and record.seed in table.seeds
        and record.defence in defences
        and record.threat["name"] in threats
    ]


def faces(records: Sequence[Record]) -> str:
    """How many photographs were measured, for a text: "1,027"."""
    counts = sorted({int(record.outcome.get("faces", 0)) for record in records})
    return " or ".join(f"{count:,}" for count in counts)


def seeds(records: Sequence[Record]) -> str:
    """How many seeds a defence was measured with, for a text: "2 seeds", "1 to 5 seeds"."""
    counts = sorted({len({r.seed for r in mine}) for mine in by_label(records).values()})
    least, most = counts[0], counts[-1]
    told = f"{most} seed{'s' * (most > 1)}"
    return told if least == most else f"{least} to {told}"


def of_seeds(records: Sequence[Record]) -> str:
    """What a figure is of the seeds, for a text."""
    if len({record.seed for record in records}) == 1:
        return "of one seed"
    return f"the mean over {seeds(records)}, plus or minus half of their range"


def curve(found: Iterable[Point], family: str, threat: str) -> list[Point]:
    """A family's points under a threat, from the least mean AUC to the greatest."""
    mine = [point for point in found if (point.family, point.threat) == (family, threat)]
    return sorted(mine, key=lambda point: point["auc"].mean)


def eval_acc_at(auc: float, line: Sequence[Point]) -> float | None:
    """Eval Acc of a curve at a mean AUC, straight between its points; None beyond its ends."""
    known = [(point["auc"].mean, point["eval_acc"].mean) for point in line]
    for (left, low), (right, high) in pairwise(known):
        if left <= auc <= right:
            return low if left == right else low + (high - low) * (auc - left) / (right - left)
    return None


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: 1 for the same order, -1 for the opposite one, 0 where one does not change."""
    if len(set(one)) == 1 or len(set(other)) == 1:
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def questions(
    records: Sequence[Record], learnt: Sequence[str], measure: str = "auc_by_attribute"
) -> dict[str, Spread]:
    """Mean AUC of one defence over the attributes in `learnt`, and over the others.

    By what they are, for a text. `measure`: where an outcome has them. All threats of a seed read
    one release, so they count once. Nothing where a record does not tell attributes apart, or one
    of the sides is empty.
    """
    seeds = {record.seed: record.outcome.get(measure, {}) for record in records}
    scored = next(iter(seeds.values()), {})
    mine = [name for name in scored if name in learnt]
    others = [name for name in scored if name not in learnt]
    if not mine or not others or any(told.keys() != scored.keys() for told in seeds.values()):
        return {}
    return {
        f"AUC of the {len(side)} {which}": Spread.of(
            [sum(told[name] for name in side) / len(side) for told in seeds.values()]
        )
        for which, side in (("that the surrogate learnt", mine), ("that it did not", others))
    }


def _point(label: str, threat: str, records: Sequence[Record]) -> Point:
    names = [
        name
        for name, value in records[0].outcome.items()
        if isinstance(value, int | float) and all(name in other.outcome for other in records)
    ]
    spreads = {name: Spread.of([record.outcome[name] for record in records]) for name in names}
    return Point(label, _family(records[0].defence), threat, len(records), spreads)


def _family(recipe: Mapping[str, Any]) -> str:
    """Crafter with another opponent or another utility is no point of the default one's curve.

    What does nothing but hand on another defence's release is a family with each of these.
    """
    if set(recipe) == {"name", "defence"}:
        return f"{recipe['name']} {_family(recipe['defence'])}"
    others = [
        recipe[part]["name"]
        for part, usual in DEFAULT_PARTS.items()
        if part in recipe and recipe[part]["name"] != usual
    ]
    return ", ".join([recipe["name"], *others])


def _any(label: str, family: str, threats: Mapping[str, Sequence[Record]]) -> list[Point]:
    """Over the seeds that every threat was measured with; nothing where there is none."""
    seeds = set.intersection(*({r.seed for r in records} for records in threats.values()))
    eval_accs: list[float] = []
    aucs: list[float] = []
    for seed in sorted(seeds):
        same = [r for records in threats.values() for r in records if r.seed == seed]
        rows = [record.outcome.get("recognised", "") for record in same]
        if len({len(row) for row in rows}) == 1 and rows[0]:
            hits = ["1" in face for face in zip(*rows, strict=True)]
            eval_accs.append(sum(hits) / len(hits))
            aucs.append(same[0].outcome["auc"])
    if not eval_accs:
        return []
    measures = {"eval_acc": Spread.of(eval_accs), "auc": Spread.of(aucs)}
    return [Point(label, family, ANY, len(eval_accs), measures)]


def by_label(records: Sequence[Told]) -> dict[str, list[Told]]:
    """Records of each defence, in order of first appearance."""
    varied = _varied(records)
    found: dict[str, list[Told]] = {}
    for record in records:
        family = _family(record.defence)
        fields = [(path[-1], reduce(_field, path, record.defence)) for path in varied[family]]
        told = ", ".join(f"{name} {_short(value)}" for name, value in fields)
        found.setdefault(f"{family} {told}".strip(), []).append(record)
    return found


def _varied(records: Sequence[Described]) -> dict[str, list[tuple[str, ...]]]:
    """For each family the fields that its members differ in, each as the way to it."""
    families: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        families.setdefault(_family(record.defence), []).append(record.defence)
    return {family: list(_differing(members)) for family, members in families.items()}


def _differing(members: Sequence[Any]) -> Iterator[tuple[str, ...]]:
    """Ways to what is not the same in all; into recipes as long as they are of one kind."""
    for name in members[0]:
        values = [member.get(name) for member in members]
        if len({json.dumps(value, sort_keys=True) for value in values}) == 1:
            continue
        if (
            all(isinstance(value, dict) for value in values)
            and len({v["name"] for v in values}) == 1
        ):
            yield from ((name, *inside) for inside in _differing(values))
        else:
            yield (name,)


def _field(recipe: Mapping[str, Any], name: str) -> Any:
    return recipe.get(name)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(_short(one) for name, one in value.items() if name != "name")
        return f"{value.get('name', '')}({inside})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refuse_mixture(records: Sequence[Record]) -> None:
    scenes = sorted({record.versions.get("scene", "") for record in records})
    if len(scenes) > 1:
        raise ResultError(
            f"results on {len(scenes)} scenes ({', '.join(s[:12] for s in scenes)}) are no one "
            "table: other networks, faces or attributes. Move those of the older scene away."
        )
    seen: set[str] = set()
    for record in records:
        cell = f"{record.defence} against {record.threat['name']}, seed {record.seed}"
        if cell in seen:
            raise ResultError(
                f"two results of {cell}: they differ in the attack's fields, the faces or the "
                "code. Move the older file away."
            )
        seen.add(cell)
