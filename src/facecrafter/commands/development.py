"""`facecrafter develop`: what a cloud learns that trains its own network on releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.data.faces import Faces
from facecrafter.paper.development import Setting, TaskName
from facecrafter.paper.development_page import write_page
from facecrafter.paper.development_results import Results
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.development import DEFENCES, DEVELOPMENTS


@dataclass(frozen=True, kw_only=True)
class Develop(AbstractMeasurement[Setting]):
    """Measure what a cloud learns that trains its own network on releases (Fig. 9).

    The cloud has no task yet: it collects what devices release of the private train photographs
    of LFW, and later trains a network f on it, for the attributes or for the expression. f is
    scored on Enc(X) of public faces, as in the paper, and on releases of the private test
    photographs. One JSON file for each defence, task and seed goes to the folder of results; what
    is there is not measured again, so the command goes on where it was stopped, also after kill -9.
    After each the page docs/development.md is written from the files. Releases that `facecrafter
    expose` and `facecrafter evaluate` made are read from --work; without them a defence takes five
    to forty minutes of one core, with the paper's opponent three hours; the game of TIPRDC takes
    ten. The networks take about three minutes for each task; it needs 2 GB of memory.

    Example: facecrafter develop --root DATA/lfw --defences TaskUtility
    """

    task: TaskName | None = None  # what f is trained for; None = one after the other
    results: Path = Path("results/development")  # folder of what was measured, of its own

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        seed, rest = self.common.number(), (scene, private_train, self.work, self.spot_check)
        return [
            Setting(defence, development, seed, *rest)
            for defence in self.chosen(DEFENCES)
            for development in DEVELOPMENTS
            if self.task in (None, development.task)
        ]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(self.kept(), self.docs)

    def line(self, setting: Setting, record: Record) -> str:
        outcome = record.outcome
        return (
            f"{setting.defence!r}, {setting.development.task}: "
            f"AUC {outcome['public_auc']:.3f} on public faces, "
            f"{outcome['private_auc']:.3f} on private releases ({record.wall:.0f} s)"
        )
