"""Reading photographs and writing results, all or nothing."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from facecrafter.data.crops import SUFFIXES, Crop, read
from facecrafter.data.folder import OTHER_SUFFIXES
from facecrafter.errors import DataError, ResultError, UnreadableImage
from facecrafter.progress import progress
from facecrafter.types import Images

Photos = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTOS")]
_FULL = (errno.ENOSPC, errno.EDQUOT)
SHOWN = 20  # unreadable files that an error lists; ours


def gather(paths: Sequence[Path]) -> list[Path]:
    """These files, and those in these folders in the order of names.

    Raises `DataError` where there is none, or where a name is nobody's.
    """
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        raise DataError(
            f"there is no {', no '.join(map(repr, absent))}: name photographs or folders."
        )
    files = [file for path in paths for file in _within(path)]
    if not files:
        raise DataError(
            f"no photograph in {', '.join(repr(path.name) for path in paths)}: put "
            f"{', '.join(SUFFIXES)} there, or name files."
        )
    return files


def photographs(files: Sequence[Path], size: int, find_faces: bool = False) -> Images:
    """These files as crops, RGB, 0 to 1.

    Raises one `UnreadableImage` that lists all files that cannot be read: a photograph that is
    silently left out would be missed later.
    """
    pixels, broken = [], []
    with progress("reading photographs", len(files)) as advance:
        for file in files:
            try:
                pixels.append(_read(file, Crop(size, face=find_faces)))
            except UnreadableImage as error:
                broken.append(str(error))
            advance()
    if broken:
        listed = "\n  ".join(broken[:SHOWN]) + "\n  ..." * (len(broken) > SHOWN)
        raise UnreadableImage(
            f"{len(broken)} of {len(files)} files cannot be used, so nothing was done:\n  {listed}"
        )
    return torch.from_numpy(np.stack(pixels)).float() / 255


def _read(file: Path, crop: Crop) -> np.ndarray:
    if file.suffix.lower() in OTHER_SUFFIXES:
        raise UnreadableImage(
            f"{file.name} is of a kind that is not read; these are: {', '.join(SUFFIXES)}. "
            "Save it as one of them."
        )
    return read(file, crop)


def _within(path: Path) -> list[Path]:
    """The file itself, or all photographs below a folder, hidden ones left out."""
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.rglob("*")) if file.is_file()]
    seen = [file for file in found if not _hidden(file.relative_to(path))]
    return [file for file in seen if file.suffix.lower() in (*SUFFIXES, *OTHER_SUFFIXES)]


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def write(path: Path, data: bytes) -> None:
    """Put the whole file in place, or leave what was there; only its owner may read it.

    Raises `ResultError` where that fails, as on a full disk.
    """
    partial: Path | None = None
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".partial")  # mode 0600
        partial = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        hint = "Free some space" if error.errno in _FULL else "Name another place with --out"
        raise ResultError(
            f"{str(path)!r} cannot be written ({error.strerror}); what was there before is as it "
            f"was. {hint}."
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
