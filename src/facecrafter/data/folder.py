"""One's own photographs: a folder of them, or a folder for each person."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.crops import SUFFIXES, Crop, crops
from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.data.tables import probabilities, table
from facecrafter.errors import DataError

# photographs that are not read here; left out without a word they would be missed
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".gif", ".tif", ".tiff", ".dng", ".cr2", ".nef")


def folder(
    root: Path | str,
    size: int = 64,  # pixels; paper, VI-A (CelebA)
    cache: Path | None = None,
    find_faces: bool = False,
) -> Faces:
    """All photographs directly in `root`, and those in its folders, one folder for each person.

    A photograph directly in `root` is of a person who is not known (-1). The central square is
    taken, or with `find_faces` the square around the largest face (extra `detect`). Where there is
    an `attributes.csv`, it holds image (`photo.jpg` or `person/photo.jpg`) and a number from 0 to 1
    for each attribute. Raises `DataError` where there is no photograph, `UnreadableImage` for one
    that cannot be read.
    """
    root = Path(root)
    paths = _photographs(root)
    names = [path.relative_to(root).as_posix() for path in paths]
    people = sorted({path.parent.name for path in paths if path.parent != root})
    number = {person: i for i, person in enumerate(people)}
    who = [NO_IDENTITY if path.parent == root else number[path.parent.name] for path in paths]
    attribute_names, attributes = _attributes(root / "attributes.csv", names)
    return Faces(
        pixels=crops(paths, Crop(size, face=find_faces), cache),
        identities=np.array(who, dtype=np.int64),
        attributes=attributes,
        attribute_names=attribute_names,
        names=tuple(names),
        people=tuple(people),
    )


def _photographs(root: Path) -> list[Path]:
    """Files in the folder and one folder down, in order of their names; hidden ones are not."""
    if not root.is_dir():
        raise DataError(f"there is no folder {root.name!r}. Name the folder of photographs.")
    inside = [path for path in sorted(root.rglob("*")) if path.is_file()]
    seen = [path for path in inside if not _hidden(path.relative_to(root))]
    unread = [path for path in seen if path.suffix.lower() in OTHER_SUFFIXES]
    if unread:
        raise DataError(
            f"{unread[0].name} is of a kind that is not read ({len(unread)} such in all): "
            f"these are: {', '.join(SUFFIXES)}. Save it as one of them, or move it away."
        )
    found = [path for path in seen if path.suffix.lower() in SUFFIXES]
    deep = [path for path in found if len(path.relative_to(root).parts) > 2]
    if deep:
        raise DataError(
            f"{deep[0].relative_to(root).as_posix()} lies two folders deep: give one folder for "
            "each person, and the photographs in it."
        )
    if not found:
        raise DataError(
            f"no photograph in {root.name!r} ({len(seen)} other files). Put {', '.join(SUFFIXES)} "
            "there, or in one folder for each person."
        )
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _attributes(path: Path, names: list[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """One row for each photograph; a photograph without a row is all NaN."""
    if not path.exists():
        return (), np.zeros((len(names), 0), np.float32)
    given = table(path)
    stranger = sorted(given.rows.keys() - set(names))
    if stranger:
        raise DataError(
            f"{path.name} has a row for {stranger[0]!r}, and there is no such photograph. Write "
            "person/photo.jpg for one in a person's folder."
        )
    return given.columns, probabilities(given, names)
