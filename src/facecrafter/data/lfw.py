"""Labeled Faces in the Wild, deep-funneled, in the folder layout in which it is distributed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.crops import Crop, crops
from facecrafter.data.division import training
from facecrafter.data.faces import Faces, Splits
from facecrafter.data.tables import probabilities, table
from facecrafter.errors import DataError

PHOTOGRAPHS_OF_A_PRIVATE_PERSON = 20  # or more; gives the paper's "10K, 2K, 1K" (VI-A)
SIDE = 144  # pixels of the 250 x 250 photograph; ours: the paper only says "crop and resize"
SHARE = (2, 3)  # paper, VI-A: 2:1


def lfw(
    root: Path | str,
    size: int = 64,  # pixels; ours: the paper's 128 (VI-A) costs four times as much
    cache: Path | None = None,
) -> Splits:
    """The paper's split of LFW (VI-A): 62 private people, everyone else public.

    `root` holds `lfw-deepfunneled/NAME/NAME_NNNN.jpg`, and, where there are any,
    `attributes.csv` (image and 40 probabilities) and `emotions.csv` (image, emotion).
    The whole of LFW gives 10,210 public, 1,996 private train and 1,027 private test photographs.
    Raises `DataError` where the folder or a table is not as described.
    """
    root = Path(root)
    paths = photographs(root)
    faces = _faces(root, paths, Crop(size, SIDE), cache)
    public, train, test = divide(faces.identities)
    return Splits(faces.take(public), faces.take(train), faces.take(test))


def photographs(root: Path) -> list[Path]:
    """All photographs, person by person; reads none."""
    paths = sorted((root / "lfw-deepfunneled").glob("*/*.jpg"))
    if not paths:
        raise DataError(
            f"no photograph at {root.name}/lfw-deepfunneled/NAME/NAME_NNNN.jpg. "
            "Give the folder that holds lfw-deepfunneled."
        )
    return paths


def identify(paths: list[Path]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of all people in order, and the number of the person on each photograph."""
    people = sorted({path.parent.name for path in paths})
    number = {person: i for i, person in enumerate(people)}
    return tuple(people), np.array([number[path.parent.name] for path in paths], dtype=np.int64)


def divide(
    identities: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the public, private train and private test photographs."""
    people, counts = np.unique(identities, return_counts=True)
    chosen = people[counts >= PHOTOGRAPHS_OF_A_PRIVATE_PERSON]
    private = np.isin(identities, chosen)
    train = training(identities, chosen, SHARE, "lfw split")
    return np.flatnonzero(~private), np.flatnonzero(train), np.flatnonzero(private & ~train)


def _faces(root: Path, paths: list[Path], crop: Crop, cache: Path | None) -> Faces:
    people, identities = identify(paths)
    names = [path.name for path in paths]
    attribute_names, attributes = _attributes(root / "attributes.csv", names)
    return Faces(
        pixels=crops(paths, crop, cache),
        identities=identities,
        attributes=attributes,
        attribute_names=attribute_names,
        names=tuple(names),
        people=people,
        emotions=_emotions(root / "emotions.csv", names),
    )


def _attributes(path: Path, names: list[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """One row for each photograph; a photograph without a row is all NaN."""
    if not path.exists():
        return (), np.zeros((len(names), 0), np.float32)
    given = table(path)
    return given.columns, probabilities(given, names)


def _emotions(path: Path, names: list[str]) -> tuple[str, ...]:
    if not path.exists():
        return ()
    given = table(path)
    if given.columns != ("emotion",):
        raise DataError(f"{path.name} has columns {given.columns}, not image and emotion alone.")
    return tuple(given.rows.get(name, [""])[0] for name in names)
