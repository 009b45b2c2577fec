"""Files that are whole or not there: written aside, brought to the disk, then named."""

import os
from pathlib import Path

from facecrafter.errors import ResultError


def write_whole(path: Path, data: bytes) -> None:
    """Write or replace a file at once. On a full disk or Ctrl-C what was there before stays.

    Raises `ResultError`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ResultError(
            f"{path.name} could not be written ({error.strerror or error}); everything written "
            "before is intact. Free some space and run the same command again: it goes on from "
            "there."
        ) from error
