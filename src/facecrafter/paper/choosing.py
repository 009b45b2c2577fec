"""Which defence to take: all that were attacked by those who learn, on one scale.

Privacy is the worst case over a core of threats that is asked of all, for a defence that was
attacked less would look better; the worst of everything that was tried stands beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.equipped import AbstractEquipped
from facecrafter.defences.game import AbstractGame
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper import describe
from facecrafter.paper.cells import Table
from facecrafter.paper.figures import UNDEFENDED
from facecrafter.paper.points import ANY, STRONGEST, Point, by_label, points
from facecrafter.paper.store import Record
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.curve import LFW64_CURVE
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.tables.rivals import DROPPING, LFW64_RIVALS
from facecrafter.paper.tables.searches import LFW64_SEARCHES
from facecrafter.paper.tables.stand_ins import LFW64_STAND_INS
from facecrafter.paper.threats import (
    ADAPTIVE,
    ASKING,
    ONE_DECODER,
    PLAYING,
    WHERE_SENT,
    all_threats,
)

TABLES = (
    LFW64,
    LFW64_ADAPTIVE,
    LFW64_RIVALS,
    LFW64_STAND_INS,
    LFW64_CURVE,
    LFW64_SEARCHES,
    LFW64_PRIORS,
)
LEARNT = tuple(threat.name for threat in PLAYING if threat in ADAPTIVE)
BASIC = tuple(
    threat.name
    for threat in PLAYING
    if threat not in ADAPTIVE and not threat.name.endswith(WHERE_SENT)
)
# all who never saw the defence, beyond the core, too
UNTAUGHT = tuple(
    name
    for name, threat in all_threats().items()
    if not isinstance(threat.attack, AbstractAdaptive)
)
# An attacker with three decoders is as strong as one with one, or within a point of it: where only
# he was measured he stands for both.
STANDS_FOR = {name: name.removesuffix(ONE_DECODER) for name in BASIC}
# of what drops values the search that leaves out what is 0 counts, for whoever sees a release sees
# the zeros
SHARPER = tuple(threat.name for threat in PLAYING if threat.name.endswith(WHERE_SENT))
# who ask more than once: remembering answers them, whatever the defence
AGAIN = tuple(threat.name for threat in ASKING if threat.name not in STANDS_FOR.values())
# of this project or of the paper; all others are defences of others
OWN = (
    "Blend",
    "Crafter",
    "CrafterZ",
    "Mended",
    "Plain",
    "Remembered",
    "Shuffled",
    "StandIn",
    "Steered",
)
DROP = 0.05  # of mean AUC that a defence may cost; ours
TOLERATED = 0.15  # Eval Acc of the worst attack that would count as hidden; ours


class Needs(Enum):
    """What must be had for a defence, beside Enc and a prior."""

    NOTHING = "nothing: knows no question"
    EQUIPMENT = "networks of its own: knows no question"
    SURROGATE = "a surrogate: knows the kind of the cloud's questions"
    CLOUD = "other networks in the cloud, trained on private photographs"


@dataclass(frozen=True)
class Choice:
    """A defence, and what was measured of it."""

    label: str
    family: str
    needs: Needs
    own: bool  # of this project or of the paper
    points: Mapping[str, Point]  # by threat
    cost: tuple[float, str]  # seconds a face, and where: "CPU" or "GPU"
    drops: bool = False  # values, so that a search that knows it leaves them out

    @property
    def auc(self) -> float:
        """Mean AUC of what the cloud answers, 0 to 1."""
        return self.points[STRONGEST]["auc"].mean

    def worst(self, threats: Sequence[str]) -> float | None:
        """Eval Acc under the strongest of these, 0 to 1; None unless all were measured."""
        found = [self._of(name) for name in threats]
        return None if None in found else max(one for one in found if one is not None)

    def known(self, threats: Sequence[str]) -> list[float]:
        """Eval Acc under those of these that were measured."""
        return [one for name in threats if (one := self._of(name)) is not None]

    @property
    def tried(self) -> list[str]:
        """All threats that were measured."""
        return [name for name in self.points if name not in (STRONGEST, ANY)]

    def _of(self, threat: str) -> float | None:
        names = (threat, STANDS_FOR.get(threat, threat))
        found = [self.points[name]["eval_acc"].mean for name in names if name in self.points]
        if self.drops and threat + WHERE_SENT in SHARPER:
            sharper = self.points.get(threat + WHERE_SENT)
            found = [*found, sharper["eval_acc"].mean] if found and sharper else []
        return max(found) if found else None


def choices(records: Sequence[Record], tables: Sequence[Table] = TABLES) -> list[Choice]:
    """All defences of the tables' common scene against which somebody learnt; no defence first.

    Raises `ResultError` where the records do not belong together.
    """
    known = {repr(describe.of_defence(one)): one for table in tables for one in table.defences}
    threats, scene = set(all_threats()) - set(AGAIN), tables[0].scene
    mine = [
        record
        for record in records
        if record.scene == scene
        and repr(record.defence) in known
        and record.threat["name"] in threats
    ]
    learnt = {repr(record.defence) for record in mine if record.threat["name"] in LEARNT}
    mine = [record for record in mine if repr(record.defence) in learnt]
    by_threat: dict[str, dict[str, Point]] = {}
    for point in points(mine) if mine else []:
        by_threat.setdefault(point.label, {})[point.threat] = point
    found = [
        _choice(label, known[repr(some[0].defence)], by_threat[label], some)
        for label, some in by_label(mine).items()
    ]
    return sorted(found, key=lambda one: (one.family != UNDEFENDED, one.family, one.auc))


def frontier(found: Sequence[Choice], threats: Sequence[str]) -> list[Choice]:
    """Those that no other beats: none is as useful and as private, and better in one of the two.

    From the least useful to the most; those that miss one of the threats are not among them.
    """
    known = [(one, worst) for one in found if (worst := one.worst(threats)) is not None]
    best = [
        one
        for one, worst in known
        if not any(
            other.auc >= one.auc and theirs <= worst and (other.auc, theirs) != (one.auc, worst)
            for other, theirs in known
        )
    ]
    return sorted(best, key=lambda one: one.auc)


def best(
    found: Sequence[Choice], threats: Sequence[str], needs: Sequence[Needs], drop: float = DROP
) -> Choice | None:
    """The one with the lowest worst case, of those that need no more, and lose no more AUC.

    None where there is none, or the AUC of no defence is not known.
    """
    plain = _plain(found)
    if plain is None:
        return None
    able = [
        one
        for one in found
        if one is not plain
        and one.needs in needs
        and round(plain.auc - one.auc, 3) <= drop
        and one.worst(threats) is not None
    ]
    return min(able, key=lambda one: (one.worst(threats), -one.auc), default=None)


def beaten(found: Sequence[Choice]) -> list[tuple[Choice, Choice]]:
    """Each of Crafter's settings that a defence of others beats, and the strongest that does.

    It is as useful and more private in the worst case over the whole core.
    """
    core = (*BASIC, *LEARNT)
    pairs: list[tuple[Choice, Choice]] = []
    for one in found:
        mine = one.worst(core)
        if not one.family.startswith("Crafter") or mine is None:
            continue
        above = [
            other
            for other in found
            if not other.own
            and other.auc >= one.auc
            and (theirs := other.worst(core)) is not None
            and theirs < mine
        ]
        if above:
            pairs.append((one, min(above, key=lambda other: other.worst(core) or 0.0)))
    return pairs


def needs(defence: AbstractDefence) -> Needs:
    """What must be had for a defence."""
    parts = list(_parts(defence))
    if any(isinstance(part, AbstractGame) for part in parts):
        return Needs.CLOUD
    if any(isinstance(part, StandIn | TaskUtility) for part in parts):
        return Needs.SURROGATE
    if any(isinstance(part, AbstractEquipped) for part in parts):
        return Needs.EQUIPMENT
    return Needs.NOTHING


def _plain(found: Sequence[Choice]) -> Choice | None:
    return next((one for one in found if one.family == UNDEFENDED), None)


def _choice(
    label: str, defence: AbstractDefence, mine: Mapping[str, Point], records: Sequence[Record]
) -> Choice:
    family = mine[STRONGEST].family
    own = type(defence).__name__ in OWN
    drops = isinstance(defence, DROPPING)
    return Choice(label, family, needs(defence), own, mine, _cost(records), drops)


def _cost(records: Sequence[Record]) -> tuple[float, str]:
    """The least of what was measured: other work beside it only adds. A CPU's where there is one.

    All records of a release tell its seconds, so that of the last to make it counts.
    """
    on_cpu = [record for record in records if "gpu" not in record.machine]
    where = "CPU" if on_cpu else "GPU"
    return min(record.outcome["seconds"] for record in on_cpu or records), where


def _parts(recipe: object) -> Iterator[object]:
    """A recipe and all recipes within it."""
    yield recipe
    if is_dataclass(recipe):
        for part in fields(recipe):
            yield from _parts(getattr(recipe, part.name))
