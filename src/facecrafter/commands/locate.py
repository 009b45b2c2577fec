"""`facecrafter locate`: where an attacker's best responses lie, before and after crafting."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.data.faces import Faces
from facecrafter.paper.kept import Kept
from facecrafter.paper.reproduction_page import PAGE, write_page
from facecrafter.paper.responses import Results, Setting
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.responses import DEFENCES


@dataclass(frozen=True, kw_only=True)
class Locate(AbstractMeasurement[Setting]):
    """Find where the white-box attacker's best responses lie among latent vectors (Fig. 5).

    Of one batch of private test photographs of LFW: z_org explains a plain feature, z* a protected
    one, z_r is drawn from the prior. One JSON file for each defence goes to the folder of results;
    what is there is not measured again. Figure 5 of docs/reproduction.md is drawn from them, as far
    as the cells of `facecrafter evaluate` are beside them. Some minutes of one core.

    Example: facecrafter locate --root DATA/lfw
    """

    results: Path = Path("results/responses")  # within the folder of all results, of its own

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        del private_train  # nothing is learnt
        return [Setting(one, self.common.number(), scene) for one in self.chosen(DEFENCES)]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(Kept(self.results.parent, self.docs)) or self.docs / PAGE

    def line(self, setting: Setting, record: Record) -> str:
        told = {name: record.outcome[name] for name in ("original", "protected", "floor")}
        distances = ", ".join(f"{name} {value:.2f}" for name, value in told.items())
        return f"{setting.defence!r}: distance from the prior {distances} ({record.wall:.0f} s)"
