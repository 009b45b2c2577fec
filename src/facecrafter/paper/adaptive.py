"""What an adaptive attacker learns before he attacks (A1): once for a release, and kept."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AttackerView
from facecrafter.errors import SettingError
from facecrafter.paper.cells import Cell
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.work import Work
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.training.pairs import BATCH, Keep
from facecrafter.training.restore import seconds
from facecrafter.types import Features, Images


@dataclass(frozen=True, eq=False)
class Learnt:
    """What an attacker knows when he attacks, and how long that took, whichever run it was."""

    view: AttackerView
    seconds: float


def learn(cell: Cell, scene: Scene, store: Store) -> Learnt:
    """What the attacker of a cell knows when he attacks; a basic one has nothing to learn.

    What is intercepted, searched and trained stays in the store's folder of work, so that a killed
    run goes on and attacks that need the same do not learn it again.
    """
    view, attack = scene.view(cell.threat.sees), cell.threat.attack
    if not isinstance(attack, AbstractAdaptive):
        return Learnt(view, 0.0)
    if scene.public is None:
        raise SettingError(f"scene {scene.name!r} has no public faces for {cell.threat.name}.")
    names = (scene.unjudged, scene.taught)
    device, rng = _Device(cell, scene), stream(cell.seed, "A1")
    able = replace(view, public=scene.public, protect=device.protect)
    intercepts = _Kept(store.work / cell.interceptions(*names)[:16])
    batches = attack.rounds * -(-min(attack.faces, len(scene.public)) // BATCH)
    with progress("intercept", batches) as advance:
        pairs = attack.pairs(able, rng, device.numbered(intercepts.keeping(advance)))
    folder = store.work / cell.lessons(*names)[:16]
    searches = _Kept(folder / "best")
    *_, last = attack.legs(able, pairs, rng, folder, searches.keeping(lambda _: None))
    trained = sum(seconds(leg) or 0.0 for leg in folder.rglob("leg*"))
    return Learnt(last, intercepts.seconds + searches.seconds + trained)


class _Device:
    """The attacker's own, with the defence on it: each batch has a stream of its own."""

    def __init__(self, cell: Cell, scene: Scene) -> None:
        protector = cell.defence.fit(scene.offline(), stream(cell.seed, "defence"))
        self.protector, self.seed, self.number = protector.to(scene.device), cell.seed, 0

    def protect(self, images: Images) -> Features:
        rng = stream(self.seed, "intercepted", self.number)
        return self.protector(images, rng).in_order_of_images().detach()

    def numbered(self, keep: Keep) -> Keep:
        """`keep`, so that a batch has the same stream in a run that goes on."""

        def kept(number: int, make: Callable[[], Tensor]) -> Tensor:
            self.number = number
            return keep(number, make)

        return kept


class _Kept:
    """Pieces in a folder, and how long they took."""

    def __init__(self, folder: Path) -> None:
        self.work, self.seconds = Work(folder), 0.0

    def keeping(self, advance: Callable[[int], None]) -> Keep:
        """A piece: read if it was made, else made and written."""

        def keep(number: int, make: Callable[[], Tensor]) -> Tensor:
            piece = self.work.piece(number, make)
            self.seconds += piece.seconds
            advance(1)
            return piece.value

        return keep
