"""VGGFace2, loosely cropped, in the layout in which it is published.

The paper (VI-A) says 112 x 112 pixels, 2:1 and five classes of hair colour; it names neither the
people, nor their number, nor the classes, and the published files hold no hair colour.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.crops import Crop, crops
from facecrafter.data.division import training
from facecrafter.data.faces import Faces, Splits, apart
from facecrafter.data.tables import table, words
from facecrafter.errors import DataError, SettingError

SHARE = (2, 3)  # paper, VI-A: 2:1
# five classes: paper, VI-A; which five: ours, as CelebA and the MAAD-Face labels name them
HAIR = ("Bald", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")


def vggface2(
    root: Path | str,
    size: int = 112,  # pixels; paper, VI-A
    cache: Path | None = None,
    most: int = 20,  # photographs of a person; ours: all 3.3 million crops would take 125 GB
) -> Splits:
    """People of the published train folder are public, those of the test folder private, 2:1.

    `root` holds `train/nNNNNNN/*.jpg` and `test/nNNNNNN/*.jpg`, where there is one
    `identity_meta.csv` (against which the folders are checked), and where there is one
    `hair_colour.csv` (image as `nNNNNNN/NNNN_NN.jpg`, hair_colour as one of `HAIR`), which gives
    five attributes, one of them 1. Raises `DataError` where a file is not as described.
    """
    if not most >= 2:
        raise SettingError(f"most is {most}: a person needs 2 photographs or more.")
    root = Path(root)
    sides = {side: _people(root, side, most) for side in ("train", "test")}
    _check_flags(root / "identity_meta.csv", sides)
    paths = [path for side in sides.values() for own in side.values() for path in own]
    people = [person for side in sides.values() for person in side]
    number = {person: i for i, person in enumerate(people)}
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    attribute_names, attributes = _hair(root / "hair_colour.csv", names)
    faces = Faces(
        pixels=crops(paths, Crop(size), cache),
        identities=np.array([number[path.parent.name] for path in paths], dtype=np.int64),
        attributes=attributes,
        attribute_names=attribute_names,
        names=tuple(names),
        people=tuple(people),
    )
    return _divide(faces, private=np.arange(len(sides["train"]), len(people)))


def _divide(faces: Faces, private: NDArray[np.int64]) -> Splits:
    train = training(faces.identities, private, SHARE, "vggface2 split")
    hidden = np.isin(faces.identities, private)
    return apart(
        faces.take(np.flatnonzero(~hidden)),
        faces.take(np.flatnonzero(train)),
        faces.take(np.flatnonzero(hidden & ~train)),
    )


def _people(root: Path, side: str, most: int) -> dict[str, list[Path]]:
    """The first photographs of each person of one side."""
    folders = sorted(path for path in (root / side).glob("n[0-9]*") if path.is_dir())
    found = {folder.name: sorted(folder.glob("*.jpg"))[:most] for folder in folders}
    if not any(found.values()):
        raise DataError(
            f"no photograph at {root.name}/{side}/nNNNNNN/NNNN_NN.jpg. Give the folder that holds "
            "train and test, as they are unpacked."
        )
    return {person: own for person, own in found.items() if own}


def _check_flags(path: Path, sides: dict[str, dict[str, list[Path]]]) -> None:
    """Refuse people who stand in the other folder than the one they were published in."""
    both = sorted(sides["train"].keys() & sides["test"].keys())
    if both:
        raise DataError(f"{both[0]} is in train and in test. Keep the folder it was published in.")
    if not path.exists():
        return
    # a name may hold commas, within quotes or without: count from the end, where a comma may stand
    lines = [" ".join(line) for line in words(path)[1:]]
    rows = [[word.strip() for word in row if word.strip()] for row in csv.reader(lines)]
    flags = {row[0]: row[-2] for row in rows if len(row) >= 5}
    for side, flag in (("train", "1"), ("test", "0")):
        moved = [person for person in sides[side] if flags.get(person, flag) != flag]
        if moved:
            raise DataError(
                f"{moved[0]} is in {side}, and {path.name} has Flag {flags[moved[0]]!r} for it "
                "(1 = train, 0 = test). Move it back."
            )


def _hair(path: Path, names: list[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """One of five for each photograph; a photograph without a row is all NaN."""
    if not path.exists():
        return (), np.zeros((len(names), 0), np.float32)
    given = table(path)
    if given.columns != ("hair_colour",):
        raise DataError(f"{path.name} has columns {given.columns}, not image and hair_colour.")
    wrong = {image: row[0] for image, row in given.rows.items() if row[0] not in HAIR}
    if wrong:
        image, colour = next(iter(wrong.items()))
        raise DataError(f"{path.name} gives {colour!r} for {image!r}. Use one of {HAIR}.")
    values = np.full((len(names), len(HAIR)), np.nan, np.float32)
    for i, name in enumerate(names):
        if name in given.rows:
            values[i] = [colour == given.rows[name][0] for colour in HAIR]
    return HAIR, values
