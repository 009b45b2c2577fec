"""What private releases add to a public set that is one-sided (VI-B, the last of Fig. 9's text).

A cloud could train f on public faces alone and leave everybody in peace, but what it can get may
lack just the answer that it is asked about later. Here every public face of the lesson shows an
attribute, and the releases of private photographs, which are as they come, are added or not.
"""

# pyright: reportPrivateUsage=false
# f is trained and asked by private functions of `development`: with other names there, the key of
# each of its results would be another one
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.plain import Plain
from facecrafter.errors import DataError, SettingError
from facecrafter.paper import development
from facecrafter.paper.development import (
    Collected,
    Development,
    Truth,
    _asked,
    _plain,
    _scored,
    _train,
    collect,
    truth,
)
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import Scene
from facecrafter.randomness import permutation, stream
from facecrafter.training.settings import require_choice

Source = Literal["public", "both"]
SOURCES: tuple[Source, ...] = ("public", "both")

_HOW = Development("attributes", networks=4, epochs=10)  # ours


@dataclass(frozen=True)
class Augmentation:
    """What the cloud learns from, and how.

    "public": Enc(X) of public faces that show the attribute, so that no device sends anything.
    "both": these, and what a defence releases of private train photographs.
    """

    source: Source
    # each stands for a set of its own, of the public faces that show it, and has an f of its own
    attributes: tuple[str, ...]
    how: Development = _HOW  # ours

    def __post_init__(self) -> None:
        require_choice(self, "source", *SOURCES)
        if (
            not self.attributes
            or self.how.task != "attributes"
            or self.how.networks != len(self.attributes)
        ):
            raise SettingError(
                f"{self}: give one attribute at least, and as many networks, that learn attributes."
            )


@dataclass(frozen=True, eq=False)
class _Learning(development.Setting):
    """A development whose networks, which learn from more than its releases, are kept apart."""

    folder: Path = Path()

    def kept_network(self, number: int) -> Path:
        return self.folder / f"f{number}"


@dataclass(frozen=True, eq=False)
class Setting:
    """One source and one defence: what is measured, and where its work is kept.

    Raises `SettingError` for a scene without public faces.
    """

    defence: AbstractDefence
    augmentation: Augmentation
    seed: int
    scene: Scene
    private: Faces  # X_train, whose releases are added
    work: Path
    spot_check: bool = False

    @cached_property
    def of_private(self) -> development.Setting:
        """The same releases as `facecrafter develop` collects."""
        return development.Setting(*self._told)

    @cached_property
    def learning(self) -> development.Setting:
        """How f is trained, and where."""
        return _Learning(*self._told, self.work / self.key[:16])

    @property
    def _told(
        self,
    ) -> tuple[AbstractDefence, Development, int, Scene, Faces, Path, bool]:
        how, rest = self.augmentation.how, (self.work, self.spot_check)
        return self.defence, how, self.seed, self.scene, self.private, *rest

    @cached_property
    def of_public(self) -> development.Setting:
        """Enc(X) of the public faces to learn from, which nobody protects."""
        rows, _ = self.sides
        return replace(self.of_private, defence=Plain(), private=self.of_private.public.take(rows))

    @cached_property
    def sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the public faces to learn from, and of those to be asked about: other people."""
        identities = self.of_private.public.identities
        people = np.unique(identities)
        order = permutation(len(people), stream(0, "public people", self.scene.name)).numpy()
        learns = np.isin(identities, people[order[: len(people) // 2]])
        return np.flatnonzero(learns), np.flatnonzero(~learns)

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        told = (self.augmentation, self.of_private.key, self.of_public.key)
        return hashlib.sha256(repr((code("paper/augmentation"), *told)).encode()).hexdigest()


def answer(setting: Setting) -> tuple[dict[str, Any], str]:
    """All measures, over the attributes, and what was taken over from earlier code."""
    scene, public = setting.scene, collect(setting.of_public)
    private = collect(setting.of_private) if setting.augmentation.source == "both" else None
    wanted, rows = _wanted_of(setting)
    outcomes: list[dict[str, Any]] = []
    shown: list[int] = []
    for number, name in enumerate(setting.augmentation.attributes):
        column = _column(wanted, name)
        lesson = with_attribute(public, column)
        shown.append(len(lesson.values))
        told = lesson if private is None else joined(lesson, private)
        network = _train(setting.learning, told, number)
        pieces = _plain(scene, setting.of_private.public.take(rows))
        scores = _asked([network], pieces, scene.device)
        outcomes.append(_scored("", "attributes", scores, wanted, scene.minimum))
    earlier = "" if private is None else private.earlier
    taken = f"{earlier} batches of the collected" if earlier else ""
    return _outcome(setting, outcomes, shown, len(rows)), taken


def with_attribute(collected: Collected, column: int) -> Collected:
    """Those alone that show an attribute. Raises `DataError` where there is none."""
    rows = (collected.values[:, column] >= 0.5).nonzero().flatten()
    if not len(rows):
        raise DataError(
            f"none of {len(collected.values)} public faces shows attribute {column}, so there is "
            "nothing to learn from: give more faces or name another one."
        )
    return Collected(collected.features[:, rows], collected.values[rows], collected.earlier)


def joined(one: Collected, other: Collected) -> Collected:
    """Both, one after the other."""
    features = torch.cat([one.features, other.features], dim=1)
    return Collected(features, torch.cat([one.values, other.values]), other.earlier)


def _wanted_of(setting: Setting) -> tuple[Truth, NDArray[np.int64]]:
    """Answers for the public faces that are asked about, and rows of these among all."""
    _, rows = setting.sides
    wanted = truth("attributes", setting.of_private.public.take(rows))
    return wanted, rows[wanted.rows]


def _column(wanted: Truth, name: str) -> int:
    if name not in wanted.names:
        raise SettingError(
            f"no attribute is called {name!r}. These faces have: {', '.join(wanted.names)}."
        )
    return wanted.names.index(name)


def _outcome(
    setting: Setting, outcomes: Sequence[dict[str, Any]], shown: Sequence[int], faces: int
) -> dict[str, Any]:
    """Means over the sets, and the least and greatest of them."""
    names = setting.augmentation.attributes
    pairs = list(zip(names, outcomes, strict=True))
    each = {name: one["_auc"] for name, one in pairs}
    rare = [name for name, one in pairs if name not in one["_auc_by_question"]]
    if rare:
        raise DataError(
            f"{rare[0]} has fewer than {setting.scene.minimum} of one answer among {faces} public "
            "faces, so its AUC says nothing: name another attribute."
        )
    own = {name: one["_auc_by_question"][name] for name, one in pairs}
    private = len(setting.private.known()) if setting.augmentation.source == "both" else 0
    return {
        "auc": float(np.mean(list(each.values()))),
        "auc_low": min(each.values()),
        "auc_high": max(each.values()),
        "auc_by_set": each,
        "auc_of_the_attribute": float(np.mean(list(own.values()))),
        "auc_of_the_attribute_by_set": own,
        "public_by_set": dict(zip(names, shown, strict=True)),
        "private": private,
        "faces": faces,
    }
