"""Results of measurements that are no cells of a grid: a JSON file for each.

Each kind lies in a folder of its own, for those that `paper.store` reads have other measures.
"""

import abc
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast, runtime_checkable

from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import ResultError
from facecrafter.headers import HeaderError, read_json
from facecrafter.paper import describe, provenance
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import TAKEN_OVER, Record, is_number, put


@runtime_checkable
class Measurable(Protocol):
    """What is measured once: one question about one defence, with one seed."""

    @property
    def defence(self) -> AbstractDefence: ...
    @property
    def seed(self) -> int: ...
    @property
    def scene(self) -> Scene: ...
    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        ...


Setting = TypeVar("Setting", bound=Measurable)


@dataclass(frozen=True)
class AbstractResults(abc.ABC, Generic[Setting]):
    """A folder of such files; nothing else may lie in it."""

    folder: Path

    command: ClassVar[str]  # what measures them
    measures: ClassVar[Sequence[str]]  # numbers that every outcome holds

    @abc.abstractmethod
    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        """The outcome, and what was taken over from earlier code; "" for nothing."""

    @abc.abstractmethod
    def question(self, setting: Setting) -> dict[str, Any]:
        """{"name": ..., "recipe": ..., all its fields}, as threats are described."""

    def find(self, setting: Setting) -> Record | None:
        """The record of a setting if it was measured as it would be now.

        Raises `ResultError` for a damaged file.
        """
        path = self._path(setting)
        found = self._read(path) if path.exists() else None
        return found if found and found.versions.get("cell") == setting.key else None

    def measure(self, setting: Setting) -> Record:
        """The record of a setting: found, else measured and written in the place of an older one.

        Raises `ResultError` for a damaged file and where nothing can be written.
        """
        found = self.find(setting)
        if found is not None:
            return found
        began = perf_counter()
        (outcome, taken), scene = self.answer(setting), setting.scene
        record = Record(
            scene=scene.name,
            defence=describe.of_defence(setting.defence),
            threat=self.question(setting),
            seed=setting.seed,
            outcome=outcome,
            reported=None,
            commit=provenance.commit(),
            versions={
                **provenance.versions(),
                "scene": scene.digest,
                "cell": setting.key,
                **({TAKEN_OVER: taken} if taken else {}),
            },
            machine=provenance.machine(scene.device),
            wall=perf_counter() - began,  # of this run; what an earlier one kept took no time
        )
        put(self._path(setting), record)
        return record

    def all(self) -> list[Record]:
        """Every record, in order of file names. Raises `ResultError` that names a bad file."""
        return [self._read(path) for path in sorted(self.folder.glob("*.json"))]

    def of(self, defences: Sequence[AbstractDefence]) -> list[Record]:
        """Those of these defences, in their order, for a page.

        Raises `ResultError` that names a bad file, where there is none, and where two scenes or
        two recipes of a question stand beside each other.
        """
        told = [describe.of_defence(defence) for defence in defences]
        found = [record for record in self.all() if record.defence in told]
        if not found:
            raise ResultError(f"no result in {self.folder.name!r}: run `{self.command}`.")
        _refuse_mixture(found)
        return sorted(found, key=lambda record: told.index(dict(record.defence)))

    def _path(self, setting: Setting) -> Path:
        question = self.question(setting)
        told = json.dumps([describe.of_defence(setting.defence), question])
        names = (
            setting.scene.name,
            type(setting.defence).__name__,
            question["name"],
            setting.seed,
            hashlib.sha256(told.encode()).hexdigest()[:16],
        )
        return self.folder / f"{'_'.join(str(name) for name in names)}.json"

    def _read(self, path: Path) -> Record:
        try:
            parsed = read_json(path.read_bytes())
        except (HeaderError, OSError) as error:
            raise self._foreign(path, str(error)) from error
        odd = parsed.keys() ^ {part.name for part in fields(Record)}
        if odd:
            raise self._foreign(path, f"lacks or adds {sorted(odd)}")
        for name in ("defence", "threat", "outcome", "versions", "machine"):
            if not isinstance(parsed[name], dict):
                raise self._foreign(path, f"has a {name} of another kind")
        wrong = [name for name in self.measures if not is_number(parsed["outcome"].get(name))]
        named = all(isinstance(parsed[name].get("name"), str) for name in ("defence", "threat"))
        if wrong or not named or type(parsed["seed"]) is not int or not is_number(parsed["wall"]):
            why = f"has no {wrong[0] if wrong else 'name, seed or wall'} that fits"
            raise self._foreign(path, why)
        return Record(**cast("Mapping[str, Any]", parsed))

    def _foreign(self, path: Path, why: str) -> ResultError:
        return ResultError(
            f"{path.name} is no result of `{self.command}`: it {why}. Move it away or delete it; "
            "it is then measured again."
        )


def _refuse_mixture(records: Sequence[Record]) -> None:
    """All are of one scene, and each question has one recipe."""
    scenes = {record.versions.get("scene", "") for record in records}
    if len(scenes) > 1:
        raise ResultError(
            f"results on {len(scenes)} scenes are no one table: other networks, faces or "
            "attributes. Move those of the older scene away."
        )
    for kind in sorted({record.threat["name"] for record in records}):
        recipes = [record.threat for record in records if record.threat["name"] == kind]
        if any(recipe != recipes[0] for recipe in recipes):
            raise ResultError(
                f"two recipes of {kind!r} are no one column. Move the results of the older one "
                "away."
            )
