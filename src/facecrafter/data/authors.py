"""The layout of the authors' own repository: read it, and write it for their scripts.

    public/  private/             photographs, already cropped
    pub_id.csv  pvt_id.csv        image, person: numbers from 1, nobody on both sides
    pub_attri.csv  pvt_attri.csv  image, attributes (0 or 1, -1 or 1)
    eval_train.csv  eval_test.csv   the rows of pvt_id.csv, divided

`eval_train_attri.csv` and `eval_test_attri.csv` repeat rows of pvt_attri.csv and are not read.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facecrafter.data.crops import Crop, crops
from facecrafter.data.faces import Faces, Splits
from facecrafter.data.tables import Table, probabilities, table
from facecrafter.errors import DataError, SplitError

FIRST = 1  # authors' code: people are numbered from 1, here from 0


def authors(
    root: Path | str,
    size: int = 64,  # pixels; paper, VI-A (CelebA); 128 for LFW
    cache: Path | None = None,
) -> Splits:
    """The splits that these files describe; people are numbered from 0 inside.

    Raises `DataError` for a missing file or photograph and for columns that are not known here,
    `SplitError` where eval_train.csv and eval_test.csv do not divide pvt_id.csv.
    """
    root = Path(root)
    public, private = _numbers(root / "pub_id.csv"), _numbers(root / "pvt_id.csv")
    train, test = _numbers(root / "eval_train.csv"), _numbers(root / "eval_test.csv")
    _check_division(private, train, test)
    attributes = [_attributes(root / f"{side}_attri.csv") for side in ("pub", "pvt")]
    if attributes[0].columns != attributes[1].columns:
        odd = sorted(set(attributes[0].columns) ^ set(attributes[1].columns))
        raise DataError(
            f"pub_attri.csv and pvt_attri.csv have other columns or another order: {odd}. Give "
            "both the same."
        )
    return Splits(
        _faces(root / "public", public, attributes[0], size, cache),
        _faces(root / "private", train, attributes[1], size, cache),
        _faces(root / "private", test, attributes[1], size, cache),
    )


def _numbers(path: Path) -> dict[str, int]:
    """The person on each photograph, from 0."""
    given = table(path)
    if len(given.columns) != 1:
        raise DataError(
            f"{path.name} has columns {given.columns} besides the image; it holds the person's "
            "number alone. Remove the others."
        )
    wrong = {image: row[0] for image, row in given.rows.items() if not _counts(row[0])}
    if wrong:
        image, word = next(iter(wrong.items()))
        raise DataError(
            f"{path.name} gives {word!r} as the person on {image!r}: people are numbered from "
            f"{FIRST}, as in the authors' files. Add 1 where yours start at 0."
        )
    return {image: int(row[0]) - FIRST for image, row in given.rows.items()}


def _counts(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) >= FIRST


def _check_division(private: dict[str, int], train: dict[str, int], test: dict[str, int]) -> None:
    both = sorted(train.keys() & test.keys())
    if both:
        raise SplitError(f"{both[0]!r} is in eval_train.csv and in eval_test.csv. Keep one.")
    divided = {**train, **test}
    other = sorted(
        image
        for image in divided.keys() | private.keys()
        if divided.get(image) != private.get(image)
    )
    if other:
        image = other[0]
        raise SplitError(
            f"{image!r} is person {_shown(private.get(image))} in pvt_id.csv and "
            f"{_shown(divided.get(image))} in eval_train.csv or eval_test.csv ({len(other)} such "
            "rows). Together the two hold the rows of pvt_id.csv."
        )


def _shown(number: int | None) -> str:
    return "missing" if number is None else str(number + FIRST)


def _attributes(path: Path) -> Table:
    return table(path) if path.exists() else Table(path.name, (), {})


def _faces(
    root: Path, people: dict[str, int], attributes: Table, size: int, cache: Path | None
) -> Faces:
    names = list(people)
    lost = [name for name in names if Path(name).name != name or not (root / name).is_file()]
    if lost:
        raise DataError(
            f"{lost[0]!r} is listed and not in {root.name} ({len(lost)} such in all). Put the "
            "photograph there or remove the row."
        )
    values = np.zeros((len(names), 0), np.float32)
    if attributes.columns:
        values = probabilities(attributes, names, signed=True)
    return Faces(
        pixels=crops([root / name for name in names], Crop(size), cache),
        identities=np.array(list(people.values()), dtype=np.int64),
        attributes=values,
        attribute_names=attributes.columns,
        names=tuple(names),
    )


def write_authors(splits: Splits, root: Path) -> None:
    """Write splits in the authors' layout, losslessly (PNG); attributes become 0 or 1.

    Private people are numbered from 1, public ones after them; a public photograph of a person
    who is not known counts as a person of its own.
    """
    private = [*splits.private_train.identities, *splits.private_test.identities]
    known, numbers = np.unique(private, return_inverse=True)
    count = len(splits.private_train)
    train = _write(splits.private_train, root / "private", 1)
    test = _write(splits.private_test, root / "private", 1 + count)
    public = _write(splits.public, root / "public", 1)
    _write_table(root / "eval_train.csv", ["id"], zip(train, numbers[:count] + FIRST, strict=True))
    _write_table(root / "eval_test.csv", ["id"], zip(test, numbers[count:] + FIRST, strict=True))
    _write_table(root / "pvt_id.csv", ["id"], zip(train + test, numbers + FIRST, strict=True))
    others = _alone(splits.public.identities) + len(known) + FIRST
    _write_table(root / "pub_id.csv", ["id"], zip(public, others, strict=True))
    _write_attributes(root / "pub_attri.csv", [(public, splits.public)])
    own = [(train, splits.private_train), (test, splits.private_test)]
    _write_attributes(root / "eval_train_attri.csv", own[:1])
    _write_attributes(root / "eval_test_attri.csv", own[1:])
    _write_attributes(root / "pvt_attri.csv", own)


def _alone(identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers from 0 without gaps; each -1 becomes a number of its own."""
    unknown = identities < 0
    apart = np.where(
        unknown, identities.max(initial=0) + 1 + np.arange(len(identities)), identities
    )
    return np.unique(apart, return_inverse=True)[1]


def _write(faces: Faces, root: Path, first: int) -> list[str]:
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{first + i:06}.png" for i in range(len(faces))]
    for i, name in enumerate(names):
        Image.fromarray(faces.pixels[i].transpose(1, 2, 0)).save(root / name)
    return names


def _write_attributes(path: Path, parts: Sequence[tuple[list[str], Faces]]) -> None:
    """One row for each photograph whose attributes are known."""
    rows = (
        (names[i], *(int(value > 0.5) for value in faces.attributes[i]))
        for names, faces in parts
        for i in faces.known().tolist()
    )
    columns = parts[0][1].attribute_names
    if columns:
        _write_table(path, columns, rows)


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *columns])
        writer.writerows(rows)
