"""What was measured of exposed features: a JSON file for each defence, kind and seed.

They lie in a folder of their own, for those that `paper.store` reads have other measures.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from facecrafter.errors import ResultError
from facecrafter.headers import HeaderError, read_json
from facecrafter.paper import describe, provenance
from facecrafter.paper.exposure import Setting, answer
from facecrafter.paper.files import write_whole
from facecrafter.paper.store import TAKEN_OVER, Record

MEASURES = ("top1", "top1_low", "top1_high", "top5", "top5_low", "top5_high", "top1_of_a_person")
OUTCOME = (*MEASURES, "top1_always", "top5_always", "auc", "seconds", "faces")  # all are numbers


@dataclass(frozen=True)
class Results:
    """A folder of such files; nothing else may lie in it."""

    folder: Path

    def find(self, setting: Setting) -> Record | None:
        """The record of a setting if it was measured as it would be now.

        Raises `ResultError` for a damaged file.
        """
        path = self._path(setting)
        found = read(path) if path.exists() else None
        return found if found and found.versions.get("cell") == setting.key else None

    def measure(self, setting: Setting) -> Record:
        """The record of a setting: found, else measured and written in the place of an older one.

        Raises `ResultError` for a damaged file and where nothing can be written.
        """
        found = self.find(setting)
        if found is not None:
            return found
        began = perf_counter()
        (outcome, taken), scene = answer(setting), setting.scene
        record = Record(
            scene=scene.name,
            defence=describe.of_defence(setting.defence),
            threat=of_exposure(setting),
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
        self._write(self._path(setting), record)
        return record

    def all(self) -> list[Record]:
        """Every record, in order of file names. Raises `ResultError` that names a bad file."""
        return [read(path) for path in sorted(self.folder.glob("*.json"))]

    def _path(self, setting: Setting) -> Path:
        told = json.dumps([describe.of_defence(setting.defence), of_exposure(setting)])
        names = (
            setting.scene.name,
            type(setting.defence).__name__,
            setting.exposure.kind,
            setting.seed,
            hashlib.sha256(told.encode()).hexdigest()[:16],
        )
        return self.folder / f"{'_'.join(str(name) for name in names)}.json"

    def _write(self, path: Path, record: Record) -> None:
        parts = {part.name: getattr(record, part.name) for part in fields(record)}
        try:
            text = json.dumps(parts, indent=1, allow_nan=False)
        except ValueError as error:
            raise ResultError(
                f"{path.name} would hold a number that is not finite: {record.outcome}. Find the "
                "measure that gave it; nothing was written."
            ) from error
        write_whole(path, (text + "\n").encode())


def of_exposure(setting: Setting) -> dict[str, Any]:
    """{"name": "original", "recipe": "Exposure", all its fields}, as threats are described."""
    told = asdict(setting.exposure)
    told["widths"] = list(setting.exposure.widths)
    return {"name": told.pop("kind"), "recipe": type(setting.exposure).__name__, **told}


def read(path: Path) -> Record:
    """One record. Raises `ResultError` that names the file."""
    try:
        parsed = read_json(path.read_bytes())
    except (HeaderError, OSError) as error:
        raise _foreign(path, str(error)) from error
    odd = parsed.keys() ^ {part.name for part in fields(Record)}
    if odd:
        raise _foreign(path, f"lacks or adds {sorted(odd)}")
    for name in ("defence", "threat", "outcome", "versions", "machine"):
        if not isinstance(parsed[name], dict):
            raise _foreign(path, f"has a {name} of another kind")
    wrong = [name for name in OUTCOME if not _number(parsed["outcome"].get(name))]
    named = all(isinstance(parsed[name].get("name"), str) for name in ("defence", "threat"))
    if wrong or not named or type(parsed["seed"]) is not int or not _number(parsed["wall"]):
        raise _foreign(path, f"has no {wrong[0] if wrong else 'name, seed or wall'} that fits")
    return Record(**cast("Mapping[str, Any]", parsed))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _foreign(path: Path, why: str) -> ResultError:
    return ResultError(
        f"{path.name} is no result of `facecrafter expose`: it {why}. Move it away or delete it; "
        "it is then measured again."
    )
