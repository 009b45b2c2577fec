"""A folder of files pinned by SHA-256: written whole or not at all, read only as written.

`manifest.json` gives the length and SHA-256 of every other file; its own SHA-256 names the folder.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecrafter.errors import BundleError
from facecrafter.headers import HeaderError, read_json

FORMAT = 1  # of the folder; raised when an older facecrafter could not read a newer one
LARGEST_TEXT = 2**20  # bytes of a text, such as the manifest
MANIFEST = "manifest.json"
_PREVIOUS = ".{}.previous"  # where an earlier folder stands while it is replaced


@dataclass(frozen=True)
class Pinned:
    """A folder whose manifest was read; each file is checked when it is read."""

    folder: Path
    files: Mapping[str, tuple[int, str]]  # bytes and SHA-256 of each file
    digest: str  # SHA-256 of the manifest

    def read(self, name: str, most: int = LARGEST_TEXT) -> bytes:
        """A file as it was written. Raises `BundleError`, also above `most` bytes."""
        if name not in self.files:
            raise broken(MANIFEST, f"does not list {name}")
        length, sha256 = self.files[name]
        data = _read(self.folder, name, most)
        if len(data) != length:
            raise broken(name, f"has {len(data)} bytes, its manifest says {length}")
        if _sha256(data) != sha256:
            raise broken(name, "was altered: its SHA-256 is not the one in the manifest")
        return data


def broken(name: str, rule: str, hint: str = "") -> BundleError:
    """An error that names the file, the rule and what to try."""
    return BundleError(f"{name}: {rule}. Fetch or make the bundle again.{hint}")


def as_json(value: object) -> bytes:
    """Text that is the same for the same value. Raises `BundleError`."""
    try:
        return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"a bundle cannot hold these facts ({error}): give text, finite numbers and lists."
        ) from error


def from_json(name: str, data: bytes) -> dict[str, Any]:
    """A JSON object of this or an earlier format. Raises `BundleError`."""
    try:
        parsed = read_json(data)
    except HeaderError as error:
        raise broken(name, str(error)) from error
    version = parsed.get("format")
    if type(version) is not int or version < 1:
        raise broken(name, "does not say its format")
    if version > FORMAT:
        raise BundleError(
            f"{name} is of format {version}; this facecrafter reads up to {FORMAT}. Upgrade "
            "facecrafter, or take an older bundle."
        )
    return parsed


def look(folder: Path, allowed: frozenset[str]) -> Pinned:
    """Read the manifest of a folder, which lists only `allowed` files. Raises `BundleError`."""
    folder = folder.resolve()
    data = _read(folder, MANIFEST, LARGEST_TEXT)
    files = from_json(MANIFEST, data).get("files")
    if not isinstance(files, dict):
        raise broken(MANIFEST, "lists no files")
    for name, told in files.items():
        if name not in allowed:
            raise broken(MANIFEST, f"lists {name[:60]!r}, which no bundle holds")
        if not isinstance(told, dict) or told.keys() != {"bytes", "sha256"}:
            raise broken(MANIFEST, f"does not give the bytes and sha256 of {name}")
        if type(told["bytes"]) is not int or not isinstance(told["sha256"], str):
            raise broken(MANIFEST, f"gives the bytes or sha256 of {name} in another type")
    listed = {name: (told["bytes"], told["sha256"]) for name, told in files.items()}
    return Pinned(folder, listed, _sha256(data))


def write(folder: Path, files: Mapping[str, bytes], allowed: frozenset[str]) -> None:
    """Put these files and their manifest in the place of an earlier folder.

    The earlier one stays if anything fails, and is never touched if it holds other files than
    `allowed`. Raises `BundleError`.
    """
    folder = folder.resolve()
    _refuse_other_files(folder, allowed)
    listed = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()}
    manifest = as_json({"format": FORMAT, "files": listed})
    partial = folder.with_name(f".{folder.name}.partial")
    previous = folder.with_name(_PREVIOUS.format(folder.name))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name, data in {**files, MANIFEST: manifest}.items():
            _write(partial / name, data)
        _settle(partial)
        with _aside(folder, previous):
            partial.rename(folder)
        _settle(folder.parent)
    except OSError as error:
        raise BundleError(
            f"{folder.name} could not be written ({error}); an earlier bundle there is as it was. "
            "Free some space, or choose another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def _aside(folder: Path, previous: Path) -> Generator[None]:
    """Put the earlier folder aside, and back if the block fails."""
    if not folder.exists():
        yield
        return
    shutil.rmtree(previous, ignore_errors=True)
    folder.rename(previous)
    try:
        yield
    except BaseException:
        previous.rename(folder)
        raise


def _refuse_other_files(folder: Path, allowed: frozenset[str]) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder.name} is a file; a bundle is a folder. Choose another name.")
    others = sorted({path.name for path in folder.iterdir()} - allowed - {MANIFEST})
    if others:
        raise BundleError(
            f"{folder.name} is not only a bundle: it also holds {others[0]!r}, which saving would "
            "delete. Choose another folder."
        )


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system allows it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    if not path.resolve().is_relative_to(folder):
        raise broken(name, "is a link that leaves the bundle")
    if not path.is_file():
        aside = folder.with_name(_PREVIOUS.format(folder.name))
        hint = f" An interrupted save left the earlier one in {aside.name}." * aside.exists()
        raise broken(name, f"is missing from {folder.name}", hint)
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise broken(name, f"cannot be read ({error.strerror})") from error
    if len(data) > most:
        raise broken(name, f"has more than the {most} bytes that are allowed")
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
