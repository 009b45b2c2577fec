"""`facecrafter expose`: how many people an attacker names who knows other features by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.data.faces import Faces
from facecrafter.paper.exposure import Kind, Setting
from facecrafter.paper.exposure_page import write_page
from facecrafter.paper.exposure_results import Results
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.exposure import DEFENCES, EXPOSURES


@dataclass(frozen=True, kw_only=True)
class Expose(AbstractMeasurement[Setting]):
    """Measure who is in a release, by an attacker who knows other features by name (Table VIII).

    He learns to name people by features of the private train photographs of LFW, either original
    ones, Enc(X), or protected ones, and is then asked whom he sees in the releases of the private
    test photographs. No face is reconstructed. One JSON file for each defence, kind and seed goes
    to the folder of results; what is there is not measured again, so the command goes on where it
    was stopped, also after kill -9. After each the page docs/exposure.md is written from the files.
    Releases that `facecrafter evaluate` made are read from --work. On one core the original
    features take about ten minutes once, the protected ones of a defence five to forty minutes,
    with the paper's opponent three hours; it needs 3 GB of memory.

    Example: facecrafter expose --root DATA/lfw --defences TaskUtility
    """

    kind: Kind | None = None  # what the attacker learns from; None = one after the other
    results: Path = Path("results/exposure")  # folder of what was measured, of its own

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        seed, rest = self.common.number(), (scene, private_train, self.work, self.spot_check)
        return [
            Setting(defence, exposure, seed, *rest)
            for defence in self.chosen(DEFENCES)
            for exposure in EXPOSURES
            if self.kind in (None, exposure.kind)
        ]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(self.kept(), self.docs)

    def line(self, setting: Setting, record: Record) -> str:
        outcome = record.outcome
        return (
            f"{setting.defence!r}, {setting.exposure.kind} features: "
            f"top-1 {outcome['top1']:.3f}, top-5 {outcome['top5']:.3f}, "
            f"AUC {outcome['auc']:.3f} ({record.wall:.0f} s)"
        )
