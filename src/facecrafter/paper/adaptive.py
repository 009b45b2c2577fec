"""What an adaptive attacker learns before he attacks (A1): once for a release, and kept."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.continued import Continued
from facecrafter.errors import SettingError
from facecrafter.paper.cells import Cell
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.work import Work
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.training.pairs import BATCH
from facecrafter.types import Features, Images


def view_of(cell: Cell, scene: Scene, store: Store) -> AttackerView:
    """What the attacker of a cell knows when he attacks; a basic one has nothing to learn.

    What is intercepted and trained stays in the store's folder of work, so that a killed run goes
    on and attacks that need the same do not learn it again.
    """
    view, attack = scene.view(cell.threat.sees), cell.threat.attack
    if not isinstance(attack, Continued):
        return view
    if scene.public is None:
        raise SettingError(f"scene {scene.name!r} has no public faces for {cell.threat.name}.")
    names = (scene.unjudged, scene.taught)
    device = _Device(cell, scene, Work(store.work / cell.interceptions(*names)[:16]))
    able = replace(view, public=scene.public, protect=device.protect)
    rng = stream(cell.seed, "A1")
    batches = attack.rounds * -(-min(attack.faces, len(scene.public)) // BATCH)
    with progress("intercept", batches) as advance:
        pairs = attack.pairs(able, rng, lambda n, make: device.keep(n, make, advance))
    folder = store.work / cell.lessons(*names)[:16]
    *_, learnt = attack.legs(able, pairs, rng, folder)
    return learnt


class _Device:
    """The attacker's own, with the defence on it: each batch has a stream of its own."""

    def __init__(self, cell: Cell, scene: Scene, work: Work) -> None:
        protector = cell.defence.fit(scene.offline(), stream(cell.seed, "defence"))
        self.protector, self.work, self.seed = protector.to(scene.device), work, cell.seed
        self.number = 0  # of the batch

    def protect(self, images: Images) -> Features:
        rng = stream(self.seed, "intercepted", self.number)
        return self.protector(images, rng).in_order_of_images().detach()

    def keep(
        self, number: int, make: Callable[[], Tensor], advance: Callable[[int], None]
    ) -> Tensor:
        """A batch: read if it was made, else made and written."""
        self.number = number
        found = self.work.piece(number, make).value
        advance(1)
        return found
