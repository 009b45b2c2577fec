"""Which data set to read, and where it lies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from facecrafter.data.authors import authors
from facecrafter.data.celeba import celeba
from facecrafter.data.faces import Splits
from facecrafter.data.lfw import lfw
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.data.vggface2 import vggface2
from facecrafter.errors import DataError, SettingError

DataName = Literal["lfw", "celeba", "vggface2", "authors", "synthetic"]
_LOADERS: dict[DataName, Callable[[Path, int, Path], Splits]] = {
    "lfw": lfw,
    "celeba": celeba,
    "vggface2": vggface2,
    "authors": authors,
}


@dataclass(frozen=True)
class Source:
    """A data set with the paper's split."""

    data: DataName = "lfw"  # synthetic is painted and needs no --root; paper, VI-A
    root: Path | None = None  # folder of the data set as it is distributed
    size: int = 64  # pixels of a crop; paper, VI-A (CelebA)
    cache: Path = Path("runs/crops")  # folder for decoded crops, to be read once; ours
    people: int = 40  # of --data synthetic; ours
    photographs: int = 20  # of each person of --data synthetic; ours

    def splits(self) -> Splits:
        """Public and private faces. Raises `FacecrafterError` where the data is not as told."""
        if self.data == "synthetic":
            return synthetic_splits(
                0, self.people, self.photographs, self.size, max(self.people // 4, 1)
            )
        if self.root is None:
            raise SettingError(f"--data {self.data} needs --root: the folder that holds it.")
        if not self.root.is_dir():
            raise DataError(f"there is no folder {str(self.root)!r}: name the data's with --root.")
        return _LOADERS[self.data](self.root, self.size, self.cache)


From = Annotated[Source, tyro.conf.arg(name="")]
