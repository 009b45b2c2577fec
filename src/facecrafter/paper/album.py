"""What attackers made of some test photographs, to look at (as in the paper's Figures 2, 27, 28).

Nothing is computed anew: the faces are read from the work that `measure` left on the disk, so there
are pictures of the cells that were measured there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.errors import SettingError
from facecrafter.paper.cells import Table
from facecrafter.paper.keeping import kept_faces, taught
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.randomness import permutation, stream
from facecrafter.types import Images


@dataclass(frozen=True, eq=False)
class Strip:
    """What one attack made of the photographs that are shown, and its record."""

    record: Record
    faces: Images  # (photographs, 3, height, width), 0 to 1


def shown(scene: Scene, count: int) -> NDArray[np.int64]:
    """Rows of the test photographs to show: the same `count` for every table, chosen by chance.

    Of each person one, as long as there are so many people. Raises `SettingError` where there are
    not so many photographs.
    """
    if not 1 <= count <= len(scene.private_test):
        raise SettingError(f"{count} faces: show 1 to {len(scene.private_test)} of them.")
    order = permutation(len(scene.private_test), stream(0, "album", scene.name)).numpy()
    _, first = np.unique(scene.private_test.identities[order], return_index=True)
    others = np.setdiff1d(np.arange(len(order)), first)
    return order[np.concatenate([np.sort(first), others])][:count]


def strips(table: Table, scene: Scene, store: Store, rows: NDArray[np.int64]) -> Iterator[Strip]:
    """Of each cell of the table's first seed that was measured and whose faces are kept."""
    for cell in table.cells():
        if cell.seed != table.seeds[0]:
            continue
        try:
            beside = taught(cell, scene)
        except SettingError:  # a prior that is not at hand
            continue
        record = store.find(cell.key(scene.digest, beside))
        faces = record and kept_faces(cell, scene, store)
        if record is not None and faces is not None:
            yield Strip(record, faces[torch.from_numpy(rows)].float() / 255)
