"""Where releases and reconstructions of cells are kept, and what is kept there."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facecrafter.attacks.averaged import Averaged
from facecrafter.attacks.other_prior import OtherPrior
from facecrafter.paper.cells import Cell
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import Scene, content
from facecrafter.paper.store import Store
from facecrafter.paper.work import Work
from facecrafter.types import Features


def taught(cell: Cell, scene: Scene) -> str:
    """SHA-256 of what the attacker has besides the scene's: faces, or a prior; "" for nothing.

    Raises `SettingError` for a prior that the scene has not.
    """
    attack = cell.threat.attack
    if isinstance(attack, OtherPrior):
        prior = attack.among(scene.priors)
        return content(prior).hex() + _code_beside_models(type(prior).__module__)
    return scene.taught if cell.adaptive else ""


def _code_beside_models(module: str) -> str:
    """SHA-256 of a generator's code where it is not among the networks, which every key holds."""
    inside = module.startswith("facecrafter.models.")
    return "" if inside else code("training", used_by=frozenset({module}))


def digest(features: Features) -> str:
    """SHA-256 of features, by which attacks on them are kept."""
    return hashlib.sha256(features.numpy().tobytes()).hexdigest()


def work_of(store: Store, name: Callable[..., str], *parts: str) -> Work:
    """A folder for what this code makes, within one for what any code makes of the same."""
    folder = store.work / name(*parts, any_code=True)[:16] / name(*parts)[:16]
    return Work(folder, store.spot_check)


def work_of_attack(cell: Cell, scene: Scene, store: Store, seen: Features, beside: str) -> Work:
    """Where the faces of a cell are kept: by what is inverted, and by what the attacker learnt."""
    learnt = cell.lessons(scene.unjudged, beside) if cell.adaptive else beside
    return work_of(store, cell.interception, scene.unjudged, digest(seen) + learnt)


def kept_faces(cell: Cell, scene: Scene, store: Store) -> Tensor | None:
    """All reconstructions of a cell, as bytes, in the order of the faces; None where some are gone.

    Those of repeated releases (A3) are not found. Raises `SettingError` for a prior that the scene
    has not.
    """
    if isinstance(cell.threat.attack, Averaged):
        return None
    released = _whole(scene, work_of(store, cell.deployment, scene.unjudged))
    if released is None:
        return None
    return _whole(scene, work_of_attack(cell, scene, store, released, taught(cell, scene)))


def _whole(scene: Scene, work: Work) -> Tensor | None:
    """All batches in the order of the faces."""
    batches, pieces = scene.batches(), list[Tensor]()
    for number in range(len(batches)):
        piece = work.kept(number)
        if piece is None:
            return None
        pieces.append(piece.value)
    return torch.cat(pieces)[torch.from_numpy(np.argsort(np.concatenate(batches)))]
