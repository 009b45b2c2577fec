"""CelebA, aligned and cropped, in the layout in which it is published.

The paper (VI-A) writes 200K public, 17K private train and 4K private test photographs. CelebA has
202,599, so the three cannot all hold: here the public set is everyone who is not private.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.crops import Crop, crops
from facecrafter.data.division import SPLIT_SEED, training
from facecrafter.data.faces import Faces, Splits, apart
from facecrafter.data.tables import Table, checked, probabilities, words
from facecrafter.errors import DataError, SettingError
from facecrafter.randomness import permutation, stream

SIDE = 148  # pixels of the 178 x 218 photograph; ours: the paper only says "crop and resize"
SHARE = (4, 5)  # paper, VI-A: 4:1
FEWEST = 5  # photographs of a private person; ours: 4:1 leaves one for the test
# rows and MD5 of the published files, as torchvision lists them
PUBLISHED = {
    "list_attr_celeba.txt": (202_599, "75e246fa4810816ffd6ee81facbd244c"),
    "identity_CelebA.txt": (202_599, "32bd1bd63d3c78cd57e08160ec5ed1e2"),
}

_log = logging.getLogger(__name__)


def celeba(
    root: Path | str,
    size: int = 64,  # pixels; paper, VI-A
    cache: Path | None = None,
    private_people: int = 1000,  # authors' code: their judge of CelebA tells 1,000 people apart
) -> Splits:
    """The paper's split of CelebA (VI-A): private people drawn at random, 4:1 for each of them.

    `root` holds `img_align_celeba/NNNNNN.jpg`, `list_attr_celeba.txt` (-1 or 1) and
    `identity_CelebA.txt` (from 1), or the published folders Img and Anno that hold these.
    `list_eval_partition.txt` is not needed: the paper divides by person. Photographs that are not
    there are left out, so a part of CelebA will do. People keep CelebA's numbers, less one.
    Give a `cache`: without one all crops are held in memory, 2.5 GB at 64 pixels.
    Raises `DataError` where a file is missing or not as described.
    """
    root = Path(root)
    paths = sorted(_published(root, "img_align_celeba").glob("*.jpg"))
    if not paths:
        raise DataError(
            f"no photograph at {root.name}/img_align_celeba/NNNNNN.jpg. Unpack "
            "img_align_celeba.zip there, or give the folder that holds img_align_celeba."
        )
    names = [path.name for path in paths]
    identities = _identities(_published(root, "identity_CelebA.txt"), names)
    attributes = _attributes(_published(root, "list_attr_celeba.txt"))
    private = _private(identities, private_people)
    train = training(identities, private, SHARE, "celeba split")
    faces = Faces(
        pixels=crops(paths, Crop(size, SIDE), cache),
        identities=identities,
        attributes=probabilities(attributes, names, signed=True),
        attribute_names=attributes.columns,
        names=tuple(names),
        people=tuple(str(number + 1) for number in range(int(identities.max()) + 1)),
    )
    hidden = np.isin(identities, private)
    return apart(
        faces.take(np.flatnonzero(~hidden)),
        faces.take(np.flatnonzero(train)),
        faces.take(np.flatnonzero(hidden & ~train)),
    )


def _published(root: Path, name: str) -> Path:
    """Where this file or folder is; the published archive has it one folder down."""
    places = [root / name, root / "Anno" / name, root / "Img" / name]
    return next((place for place in places if place.exists()), places[0])


def _private(identities: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Numbers of the private people, drawn among those with photographs enough."""
    people, photographs = np.unique(identities, return_counts=True)
    able = people[photographs >= FEWEST]
    if not 1 <= count <= len(able) or count == len(people):
        raise SettingError(
            f"private_people is {count}; {len(able)} of {len(people)} people have {FEWEST} "
            "photographs or more, and someone must stay public. Ask for fewer."
        )
    order = permutation(len(able), stream(SPLIT_SEED, "celeba people")).numpy()
    return np.sort(able[order[:count]])


def _identities(path: Path, names: list[str]) -> NDArray[np.int64]:
    """The person on each photograph, from 0; the file counts from 1."""
    lines = words(path)
    _compare(path, len(lines))
    numbers = checked(path.name, ["identity"], lines).rows
    missing = [name for name in names if name not in numbers]
    if missing:
        raise DataError(
            f"{path.name} has no row for {len(missing)} photographs, for one {missing[0]!r}. Use "
            "the file that was published with these photographs."
        )
    wrong = [name for name in names if not (_whole(numbers[name][0]) and int(numbers[name][0]) > 0)]
    if wrong:
        raise DataError(
            f"{path.name} gives {numbers[wrong[0]][0]!r} as the person on {wrong[0]!r}: people "
            "are numbered from 1."
        )
    return np.array([int(numbers[name][0]) for name in names], dtype=np.int64) - 1


def _whole(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _attributes(path: Path) -> Table:
    """The number of rows, the names of the attributes, then a photograph and its values."""
    lines = words(path)
    if len(lines) < 3 or len(lines[0]) != 1 or lines[0] != [str(len(lines) - 2)]:
        first = " ".join(lines[0])[:40] if lines else ""
        raise DataError(
            f"{path.name} begins with {first!r} and has {max(len(lines) - 2, 0)} rows: the first "
            "line is their number, the second names the attributes. Use the published file."
        )
    _compare(path, len(lines) - 2)
    return checked(path.name, lines[1], lines[2:])


def _compare(path: Path, rows: int) -> None:
    """Say so if a file has the published number of rows and yet other content."""
    published, md5 = PUBLISHED[path.name]
    if rows != published:
        return
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if found != md5:
        _log.warning("%s differs from the published file (MD5 %s, not %s)", path.name, found, md5)
