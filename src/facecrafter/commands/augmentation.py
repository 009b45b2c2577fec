"""`facecrafter augment`: what private releases add to public faces that are one-sided."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.data.faces import Faces
from facecrafter.defences.plain import Plain
from facecrafter.paper.augmentation import Setting
from facecrafter.paper.augmentation_page import write_page
from facecrafter.paper.augmentation_results import Results
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.augmentation import AUGMENTATIONS, DEFENCES


@dataclass(frozen=True, kw_only=True)
class Augment(AbstractMeasurement[Setting]):
    """Measure what private releases add to a public set that is one-sided (VI-B).

    A cloud that trains its own network f could do so on public faces alone. Here those of LFW that
    it learns from all show one attribute, and it is asked about public faces of other people; with
    and without what a defence releases of the private train photographs. One JSON file for each
    defence goes to the folder of results; what is there is not measured again, so the command goes
    on where it was stopped, also after kill -9. After each the page docs/augmentation.md is written
    from the files. Releases that `facecrafter develop` or `expose` made are read from --work;
    without them a defence takes five to forty minutes of one core, with the paper's opponent three
    hours. The networks take about five minutes for each defence; it needs 4 GB of memory.

    Example: facecrafter augment --root DATA/lfw --defences TaskUtility
    """

    results: Path = Path("results/augmentation")  # folder of what was measured, of its own

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        seed, rest = self.common.number(), (scene, private_train, self.work, self.spot_check)
        return [
            Setting(defence, augmentation, seed, *rest)
            for defence in self.chosen(DEFENCES)
            for augmentation in AUGMENTATIONS
            # of public faces alone no device sends anything: one row for all
            if augmentation.source == "both" or defence == Plain()
        ]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(self.kept(), self.docs)

    def line(self, setting: Setting, record: Record) -> str:
        outcome = record.outcome
        return (
            f"{setting.defence!r}, {setting.augmentation.source}: AUC {outcome['auc']:.3f}, "
            f"{outcome['auc_of_the_attribute']:.3f} of what was removed ({record.wall:.0f} s)"
        )
