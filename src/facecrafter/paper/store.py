"""Results on the disk: one JSON for each measured cell, whole or not there."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from facecrafter.errors import ResultError
from facecrafter.headers import HeaderError, read_json
from facecrafter.paper.files import write_whole

OUTCOME = ("eval_acc", "fsim", "ssim", "auc", "l_u", "pii", "seconds")  # what every cell measures

REPLACED = "replaced"  # folder within that of the results
TAKEN_OVER = "taken_over"  # among a record's versions: what a spot check took from earlier code


@dataclass(frozen=True)
class Record:
    """What a result file holds, field by field. Its key is in the file's name."""

    scene: str
    defence: Mapping[str, Any]  # name and all fields of the recipe
    threat: Mapping[str, Any]  # name and all fields of the recipe
    seed: int
    outcome: Mapping[str, Any]  # `OUTCOME` and more; docs/results.md explains
    reported: Mapping[str, Any] | None  # the paper's figure and in what it differs
    commit: str | None  # of the project; "+" after it: with changes
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    wall: float  # seconds of protecting, attacking and judging


@dataclass(frozen=True)
class Store:
    """A folder of results, and one of work that may be deleted at any time."""

    folder: Path
    # releases and reconstructions stay here, so that no new threat crafts again and no new judge
    # attacks again: 67 MB for each release of `LFW64`, 12.6 MB for each attack on it; 0.5 GB for
    # what adaptive attackers intercept of each
    work: Path
    # make of what earlier code released or reconstructed the first and the last batch anew, and
    # take the others over if both come out the same, bit for bit
    spot_check: bool = False

    def find(self, key: str) -> Record | None:
        """The record of a cell if it was measured. Raises `ResultError` for a damaged file.

        A `write` that was killed may have left an earlier record beside it: that goes aside.
        """
        found = self._found(key)
        if found is None:
            return None
        self._put_earlier_aside(*found)
        return found[1]

    def peek(self, key: str) -> Record | None:
        """As `find`, and all files stay where they are."""
        found = self._found(key)
        return None if found is None else found[1]

    def _found(self, key: str) -> tuple[Path, Record] | None:
        paths = sorted(self.folder.glob(f"*_{key[:16]}.json"))
        return (paths[0], read(paths[0])) if paths else None

    def write(self, key: str, record: Record) -> Path:
        """Keep a record. Raises `ResultError` and leaves all others alone.

        An earlier one of the same cell, by other code or another attack of that name, moves to the
        folder `REPLACED`, which nothing reads: no page holds a cell twice.
        """
        path = self.folder / f"{_stem(record)}_{key[:16]}.json"
        put(path, record)
        self._put_earlier_aside(path, record)
        return path

    def all(self) -> list[Record]:
        """Every record, in order of file names. Raises `ResultError` that names a bad file."""
        return [read(path) for path in sorted(self.folder.glob("*.json"))]

    def _put_earlier_aside(self, path: Path, record: Record) -> None:
        for earlier in self.folder.glob(f"{_stem(record)}_*.json"):
            if earlier != path and _same(earlier, record):
                _put_aside(earlier)


def put(path: Path, record: Record) -> None:
    """Write a record as JSON, whole or not at all. Raises `ResultError`."""
    parts = {part.name: getattr(record, part.name) for part in fields(record)}
    try:
        text = json.dumps(parts, indent=1, allow_nan=False)
    except ValueError as error:
        raise ResultError(
            f"{path.name} would hold a number that is not finite: {record.outcome}. Find the "
            "measure that gave it; nothing was written."
        ) from error
    write_whole(path, (text + "\n").encode())


def read(path: Path) -> Record:
    """One record. Raises `ResultError` that names the file."""
    try:
        parsed = read_json(path.read_bytes())
    except (HeaderError, OSError) as error:
        raise _foreign(path, str(error)) from error
    wanted = {part.name for part in fields(Record)}
    if parsed.keys() != wanted:
        raise _foreign(path, f"lacks or adds {sorted(parsed.keys() ^ wanted)}")
    wrong = [name for name, fits in _checks(parsed) if not fits]
    if wrong:
        raise _foreign(path, f"has a {wrong[0]} of another kind")
    return Record(**parsed)


def _stem(record: Record) -> str:
    names = (record.scene, record.defence["name"], record.threat["name"], record.seed)
    return "_".join(str(name) for name in names)


def _same(file: Path, record: Record) -> bool:
    """Whether a file holds the same cell; another process may have put it aside already."""
    try:
        found = read(file)
    except ResultError:
        return False
    cells = [(one.scene, one.defence, one.threat["name"], one.seed) for one in (found, record)]
    return cells[0] == cells[1]


def _put_aside(file: Path) -> None:
    folder = file.with_name(REPLACED)
    try:
        folder.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another process was faster
            file.replace(folder / file.name)
    except OSError as error:
        raise ResultError(
            f"{file.name} holds an earlier result of a cell and could not be moved to {REPLACED} "
            f"({error.strerror or error}). Move it away; the new result is written."
        ) from error


def _checks(parsed: Mapping[str, Any]) -> list[tuple[str, bool]]:
    outcome = parsed["outcome"]
    measured = isinstance(outcome, dict) and all(
        is_number(cast("Mapping[str, object]", outcome).get(name)) for name in OUTCOME
    )
    return [
        ("scene", isinstance(parsed["scene"], str)),
        ("defence", _named(parsed["defence"])),
        ("threat", _named(parsed["threat"])),
        ("seed", type(parsed["seed"]) is int),
        ("outcome", measured),
        ("reported", parsed["reported"] is None or isinstance(parsed["reported"], dict)),
        ("commit", parsed["commit"] is None or isinstance(parsed["commit"], str)),
        ("versions", isinstance(parsed["versions"], dict)),
        ("machine", isinstance(parsed["machine"], dict)),
        ("wall", is_number(parsed["wall"])),
    ]


def _named(value: object) -> bool:
    return isinstance(value, dict) and isinstance(
        cast("Mapping[str, object]", value).get("name"), str
    )


def is_number(value: object) -> bool:
    """Whether JSON gave a number that is finite; a truth value is none."""
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _foreign(path: Path, why: str) -> ResultError:
    return ResultError(
        f"{path.name} is no result of `facecrafter evaluate`: it {why}. Move it away or delete it; "
        "its cell is then measured again."
    )
