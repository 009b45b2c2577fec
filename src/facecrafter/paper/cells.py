"""A cell is one figure to measure; a table lists cells and is a value."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import cast

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.defences.base import AbstractDefence
from facecrafter.paper.provenance import code
from facecrafter.paper.threats import Threat

# Of these, the modules that a recipe imports make its figures: an edit of one defence leaves the
# figures of the others alone.
METHODS = ("attacks", "defences", "implicit", "inversion", "randomness", "training")


@dataclass(frozen=True)
class Reported:
    """What the paper prints where a cell corresponds to it."""

    eval_acc: float  # 0 to 1
    source: str
    differs: str  # in what the paper's setting is another one


@dataclass(frozen=True)
class Cell:
    """One defence against one threat with one seed."""

    scene: str
    defence: AbstractDefence
    threat: Threat
    seed: int
    reported: Reported | None = None

    @property
    def adaptive(self) -> bool:
        """Whether the attacker learns from the defence before he attacks."""
        return isinstance(self.threat.attack, AbstractAdaptive)

    def key(self, digest: str, taught: str = "") -> str:
        """SHA-256 of all that the outcome depends on; `digest` is the scene's.

        `taught`: of what the attacker has besides, `measure.taught`.
        """
        attack, learnt = _code_of(self.threat.attack), [taught] if taught else []
        return _hash(code("metrics"), attack, self.deployment(digest), self.threat, *learnt)

    def deployment(self, digest: str, any_code: bool = False) -> str:
        """SHA-256 of what the release depends on: all threats read the same release.

        `any_code`: the same for whatever code makes it.
        """
        code_of = "" if any_code else _code_of(self.defence)
        return _hash(code_of, self.scene, digest, self.defence, self.seed)

    def interception(self, digest: str, release: str, any_code: bool = False) -> str:
        """SHA-256 of what an attack's faces depend on; no judge is part of it.

        `release`: SHA-256 of the released features, whatever code made them. `any_code`: the same
        for whatever code attacks.
        """
        code_of = "" if any_code else _code_of(self.threat.attack)
        return _hash(code_of, self.scene, digest, release, self.threat, self.seed)

    def interceptions(self, digest: str, taught: str) -> str:
        """SHA-256 of what an adaptive attacker intercepts to learn from; attacks share it."""
        attack = self._adaptive_attack()
        told = (taught, attack.faces, attack.rounds)
        drawn = _hash(_code_in(AbstractAdaptive.__module__), code("paper/adaptive"))
        return _hash(drawn, self.deployment(digest), *told)

    def lessons(self, digest: str, taught: str) -> str:
        """SHA-256 of what he makes of it: attacks that need the same share these."""
        attack = self._adaptive_attack()
        told = {**vars(attack)}
        del told["attack"]  # comes after what is learnt
        inside = [name for part in told.values() for name in modules(part)]
        own = _code_in(type(attack).__module__, *inside)
        return _hash(own, self.interceptions(digest, taught), told)

    def _adaptive_attack(self) -> AbstractAdaptive:
        attack = self.threat.attack
        assert isinstance(attack, AbstractAdaptive)
        return attack

    def __str__(self) -> str:
        return f"{self.defence!r} against {self.threat.name}, seed {self.seed}"


@dataclass(frozen=True)
class Table:
    """Which pairs to measure, and what the paper reports for some of them."""

    title: str
    scene: str
    defences: tuple[AbstractDefence, ...]
    threats: tuple[Threat, ...]
    seeds: tuple[int, ...]
    once: tuple[AbstractDefence, ...] = ()  # of the defences, with the first seed: too slow for all
    # by names of defence and threat
    reported: Mapping[tuple[str, str], Reported] = field(
        default_factory=dict[tuple[str, str], Reported]
    )
    remarks: Mapping[str, str] = field(default_factory=dict[str, str])  # heading -> paragraph
    page: str = "results"  # its file among the documents, without .md
    command: str = "facecrafter evaluate --root LFW"  # what measures it
    learnt: tuple[str, ...] = ()  # attributes that the surrogate learnt, to be told apart
    float32: bool = False  # whether nothing in it may be in mixed precision
    headline: bool = False  # whether its page and the README tell the worst of all attacks
    # names of threats that these defences alone are asked to stand: to others they are nothing new
    only: Mapping[str, tuple[type[AbstractDefence], ...]] = field(
        default_factory=dict[str, tuple[type[AbstractDefence], ...]]
    )

    def cells(self) -> tuple[Cell, ...]:
        """Seed by seed, so that the whole table stands early, and release by release."""
        return tuple(
            Cell(self.scene, defence, threat, seed, self._reported(defence, threat))
            for seed in self.seeds
            for defence in self.defences
            if seed == self.seeds[0] or defence not in self.once
            for threat in self.threats
            if isinstance(defence, self.only.get(threat.name, AbstractDefence))
        )

    def _reported(self, defence: AbstractDefence, threat: Threat) -> Reported | None:
        return self.reported.get((type(defence).__name__, threat.name))


def _code_of(recipe: object) -> str:
    """SHA-256 of the networks and of the methods that a recipe and its parts run."""
    return _code_in(*modules(recipe))


def _code_in(*names: str) -> str:
    return _hash(code("models"), code(*METHODS, used_by=frozenset(names)))


def modules(recipe: object) -> Iterator[str]:
    """Where the recipe's class is, and the classes of the recipes in it."""
    if isinstance(recipe, tuple):
        for part in cast("tuple[object, ...]", recipe):
            yield from modules(part)
    elif is_dataclass(recipe):
        yield type(recipe).__module__
        for part in fields(recipe):
            yield from modules(getattr(recipe, part.name))


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(repr(part) for part in parts).encode()).hexdigest()
