"""Labeled Faces in the Wild, deep-funneled, in the folder layout in which it is distributed."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.crops import Crop, crops
from facecrafter.data.faces import Faces, Splits
from facecrafter.errors import DataError
from facecrafter.randomness import permutation, stream

PHOTOGRAPHS_OF_A_PRIVATE_PERSON = 20  # or more; gives the paper's "10K, 2K, 1K" (VI-A)
SIDE = 144  # pixels of the 250 x 250 photograph; ours: the paper only says "crop and resize"
SPLIT_SEED = 0


def lfw(root: Path, size: int = 64, cache: Path | None = None) -> Splits:
    """The paper's split of LFW (VI-A): 62 private people, everyone else public.

    `root` holds `lfw-deepfunneled/NAME/NAME_NNNN.jpg`, and, where there are any,
    `attributes.csv` (image and 40 probabilities) and `emotions.csv` (image, emotion).
    The whole of LFW gives 10,210 public, 1,996 private train and 1,027 private test photographs.
    """
    paths = sorted((root / "lfw-deepfunneled").glob("*/*.jpg"))
    if not paths:
        raise DataError(
            f"no photograph at {root.name}/lfw-deepfunneled/NAME/NAME_NNNN.jpg. "
            "Give the folder that holds lfw-deepfunneled."
        )
    faces = _faces(root, paths, Crop(size, SIDE), cache)
    private, train = _private(faces.identities)
    return Splits(
        public=faces.take(np.flatnonzero(~private)),
        private_train=faces.take(np.flatnonzero(private & train)),
        private_test=faces.take(np.flatnonzero(private & ~train)),
    )


def _faces(root: Path, paths: list[Path], crop: Crop, cache: Path | None) -> Faces:
    people = sorted({path.parent.name for path in paths})
    number = {person: i for i, person in enumerate(people)}
    names = [path.name for path in paths]
    attribute_names, attributes = _attributes(root / "attributes.csv", names)
    return Faces(
        pixels=crops(paths, crop, cache),
        identities=np.array([number[path.parent.name] for path in paths], dtype=np.int64),
        attributes=attributes,
        attribute_names=attribute_names,
        names=tuple(names),
        people=tuple(people),
        emotions=_emotions(root / "emotions.csv", names),
    )


def _private(identities: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who is private, and which of their photographs are for training: two of three."""
    people, counts = np.unique(identities, return_counts=True)
    private = np.isin(identities, people[counts >= PHOTOGRAPHS_OF_A_PRIVATE_PERSON])
    train = np.zeros(len(identities), dtype=np.bool_)
    for person in people[counts >= PHOTOGRAPHS_OF_A_PRIVATE_PERSON]:
        own = np.flatnonzero(identities == person)
        order = permutation(len(own), stream(SPLIT_SEED, "lfw split", int(person))).numpy()
        train[own[order[: len(own) * 2 // 3]]] = True
    return private, train


def _attributes(path: Path, names: list[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """One row for each photograph; a photograph without a row is all NaN."""
    if not path.exists():
        return (), np.zeros((len(names), 0), np.float32)
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    table = {row[0]: row[1:] for row in rows}
    blank = ["nan"] * (len(header) - 1)
    values = np.array([table.get(name, blank) for name in names], dtype=np.float32)
    return tuple(header[1:]), values


def _emotions(path: Path, names: list[str]) -> tuple[str, ...]:
    if not path.exists():
        return ()
    with path.open(newline="") as file:
        table = {row["image"]: row["emotion"] for row in csv.DictReader(file)}
    return tuple(table.get(name, "") for name in names)
