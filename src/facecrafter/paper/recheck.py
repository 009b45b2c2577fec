"""A stored figure measured once more: does anybody get it who runs the same command?"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from facecrafter.errors import SettingError
from facecrafter.paper import provenance
from facecrafter.paper.cells import Cell
from facecrafter.paper.evaluate import MakeScene, evaluate
from facecrafter.paper.keeping import taught
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store

# How far apart two machines may find the same cell; ours. Rounding differs between processors, and
# what searches from it ends elsewhere. Of two cells of an H200 that were measured anew on a CPU, 94
# and 85 of 1,027 faces were recognised in one of both alone, which moves Eval Acc by 0.009 (one
# standard deviation) where chance decides; the means of the other measures moved by 0.001 at most.
# Cells of a CPU of the same kind came out bit for bit.
TOLERANCES = {"eval_acc": 0.03, "ssim": 0.005, "fsim": 0.005, "auc": 0.005}
OF_FACES = 1027  # so many; of fewer a mean moves more
NAMES = {"eval_acc": "Eval Acc", "ssim": "SSIM", "fsim": "FSIM", "auc": "AUC"}


@dataclass(frozen=True)
class Compared:
    """One cell, as it is stored and as it was measured anew."""

    cell: Cell
    stored: Record
    anew: Record
    kept: bool  # an earlier recheck on this machine measured it

    @property
    def apart(self) -> Mapping[str, float]:
        """Of each measure in `TOLERANCES` the new figure less the stored one."""
        before, after = self.stored.outcome, self.anew.outcome
        return {name: after[name] - before[name] for name in TOLERANCES}

    @property
    def far(self) -> list[str]:
        """Measures that are farther apart than is tolerated."""
        wider = sqrt(OF_FACES / self.anew.outcome["faces"])
        return [name for name, by in self.apart.items() if abs(by) > wider * TOLERANCES[name]]

    @property
    def otherwise(self) -> int:
        """Faces that are recognised in one of the two alone."""
        pairs = zip(*(one.outcome["recognised"] for one in (self.stored, self.anew)), strict=True)
        return sum(before != after for before, after in pairs)

    def __str__(self) -> str:
        told = ", ".join(
            f"{NAMES[name]} {self.anew.outcome[name]:.3f} (stored "
            f"{self.stored.outcome[name]:.3f}{': TOO FAR' if name in self.far else ''})"
            for name in TOLERANCES
        )
        return f"{self.cell}: {told}; {self.otherwise} of {self.anew.outcome['faces']} faces differ"


def recheck(
    cells: Sequence[Cell], make: MakeScene, store: Store, work: Path, processes: int = 1
) -> Iterator[Compared]:
    """Measure those of the cells anew that are in the store, which is left as it is.

    What is measured is kept in `work`, apart for each machine, so that a killed run goes on; who
    wants it once more deletes that. Raises `SettingError` where none of the cells is stored as this
    code measures it, and what `evaluate` raises.
    """
    scene = make()
    stored, place = _stored(cells, scene, store), work / _machine(scene)
    for step in evaluate([*stored], make, Store(place, place), processes):
        yield Compared(step.cell, stored[step.cell], step.record, step.kept)


def _stored(cells: Sequence[Cell], scene: Scene, store: Store) -> dict[Cell, Record]:
    pairs = ((cell, store.peek(cell.key(scene.digest, taught(cell, scene)))) for cell in cells)
    found = {cell: record for cell, record in pairs if record is not None}
    if not found:
        raise SettingError(
            f"none of {len(cells)} cells is stored in {store.folder.name!r} as this code measures "
            "it, so there is nothing to hold a new figure against: measure first, without "
            "--recheck, or ask for other cells."
        )
    return found


def _machine(scene: Scene) -> str:
    """What rounds as it does: the processor, and the versions of what computes."""
    told = provenance.machine(scene.device), provenance.versions()
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
