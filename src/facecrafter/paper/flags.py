"""What a reader must know of attacks and defences before believing a low figure."""

from collections.abc import Mapping, Sequence
from typing import Any

from facecrafter.attacks.answered import Answered
from facecrafter.paper.convergence import Gain, gained, sentences
from facecrafter.paper.figures import UNDEFENDED
from facecrafter.paper.points import Point, by_label
from facecrafter.paper.store import Record
from facecrafter.paper.threats import ADAPTIVE, ONE_DECODER, THREATS, TWICE

VALIDATED = 0.5  # Eval Acc on plain features that an attack must reach to count as one; ours

_ANSWERS = {threat.name for threat in ADAPTIVE if isinstance(threat.attack, Answered)}


def not_validated(found: Sequence[Point], threats: Sequence[str]) -> list[str]:
    """Attacks that hardly read plain features; one that is given answers alone is none of them."""
    threats = [name for name in threats if name not in _ANSWERS]
    plain = {p.threat: p["eval_acc"].mean for p in found if p.family == UNDEFENDED}
    return [name for name in threats if not plain.get(name, 0.0) >= VALIDATED]


def of_attacks(found: Sequence[Point], threats: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Paragraphs: attacks that prove nothing, and searches that less knowledge beats."""
    tried = {p.threat for p in found if p.family == UNDEFENDED}
    told = [
        f"† attack not validated: {_why(name in tried)}, so a low figure of {name} says nothing "
        "about a defence."
        for name in not_validated(found, threats)
    ]
    told += [
        f"*{name}* sees nothing but the cloud's answers to a release: what it reads no release can "
        "hide that is answered so."
        for name in threats
        if name in _ANSWERS
    ]
    stronger: list[str] = []
    for label in labels:
        mine = {p.threat: p["eval_acc"].mean for p in found if p.label == label}
        black = max(mine.get(name, 0.0) for name in ("black-box", "black-box" + ONE_DECODER))
        if black > mine.get("white-box", 1.0):
            stronger.append(label)
    if stronger:
        told.append(
            "The black-box attack is stronger than the white-box one against "
            f"{'; '.join(stronger)}: the white-box search is not the strongest attack that its "
            "knowledge allows."
        )
    settled = sentences("steps", _gains(found, labels))
    return [*told, settled] if settled else told


def _gains(found: Sequence[Point], labels: Sequence[str]) -> dict[str, Gain | None]:
    """What twice the steps add to each search against each defence, where both were measured."""
    gains: dict[str, Gain | None] = {}
    for label in labels:
        mine = {p.threat: p["eval_acc"].mean for p in found if p.label == label}
        for name in (threat.name for threat in THREATS):
            if name in mine and name + TWICE in mine:
                gain = gained(mine[name], mine[name + TWICE])
                gains[f"{name} against {label}"] = gain, f"{gain:+.1f} points"
    return gains


def _why(tried: bool) -> str:
    if tried:
        return f"on plain features it reaches under {100 * VALIDATED:.0f} %"
    return "it was not measured on plain features"


def of_defences(records: Sequence[Record]) -> list[str]:
    """A paragraph: which are random, as another seed shows, and which search while they protect."""
    labelled = by_label(records)
    random = [label for label, mine in labelled.items() if _random(mine)]
    searching = [label for label, mine in labelled.items() if _steps(mine[0].defence)]
    told = [
        f"{what}: {'; '.join(names)}."
        for what, names in (
            ("Randomised, so several releases of a photograph may tell more than one", random),
            ("Optimised while it protects, so a gradient through it is not to be had", searching),
        )
        if names
    ]
    return [" ".join(told)] if told else []


def _random(mine: Sequence[Record]) -> bool:
    """Whether another seed released something else; where it can be, on the same kind of machine.

    A GPU rounds otherwise than a CPU, which is no chance.
    """
    released: dict[object, dict[int, str | None]] = {}
    for record in mine:
        digest = record.versions.get("release")
        for kind in (record.machine.get("gpu"), "any kind"):
            released.setdefault(kind, {})[record.seed] = digest
    anywhere = released.pop("any kind")
    fair = [seeds for seeds in released.values() if len(seeds) > 1] or [anywhere]
    return any(len(set(seeds.values())) > 1 for seeds in fair)


def _steps(recipe: Mapping[str, Any]) -> bool:
    """Whether the recipe, or one in it, takes steps; those of Fawkes are in its mode."""
    return any(
        name in ("steps", "iterations", "mode") or (isinstance(value, dict) and _steps(value))
        for name, value in recipe.items()
    )
