"""`facecrafter bound`: Theorem 1 and Eq. 34, term by term, for the networks of a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.data.faces import Faces
from facecrafter.paper.bound_page import write_page
from facecrafter.paper.bound_results import Effort, Results, Setting
from facecrafter.paper.bound_sums import GREATEST, sums
from facecrafter.paper.kept import Kept
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.bound import DEFENCES


@dataclass(frozen=True, kw_only=True)
class Bound(AbstractMeasurement[Setting]):
    """Evaluate the paper's bounds on epsilon-PII for these networks (App. D).

    Theorem 1 bounds how far Crafter's epsilon is from the best that can be had, Eq. 34 how far a
    measured epsilon is from the true one. This crafts and attacks some private test photographs
    of LFW, estimates the Rademacher complexities of three families of critics on what the attacker
    sees, and adds the terms up. One JSON file for each defence goes to the folder of results; what
    is there is not measured again. After each the page docs/bound.md is written, with the epsilons
    that `facecrafter evaluate` measured beside. About three minutes of one core for each defence;
    it needs 3 GB of memory.

    Example: facecrafter bound --root DATA/lfw --defences TaskUtility
    """

    batches: int = 2  # of 61 test photographs, to craft and attack; 17 = all; ours
    results: Path = Path("results/bound")  # within the folder of all results, of its own

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        del private_train  # nothing is learnt
        effort = Effort(batches=self.batches)
        return [Setting(one, effort, self.common.number(), scene) for one in self.chosen(DEFENCES)]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(Kept(self.results.parent, self.docs))

    def line(self, setting: Setting, record: Record) -> str:
        found, epsilon = sums(record, GREATEST), 1000 * record.outcome["epsilon"]
        return (
            f"{setting.defence!r}: epsilon {epsilon:.2f}, Theorem 1 at least {found.printed:.1f}, "
            f"Eq. 34 at least {found.error:.1f} thousandths ({record.wall:.0f} s)"
        )
