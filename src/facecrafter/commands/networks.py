"""A network from wherever it lies: the folder of a training, or a bundle."""

from dataclasses import dataclass
from pathlib import Path

import torch

from facecrafter import bundle as bundles
from facecrafter.commands.prepared import in_project
from facecrafter.errors import DataError
from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel
from facecrafter.pinned import MANIFEST
from facecrafter.training.adoption import generator
from facecrafter.training.restore import recipe, restore, seconds


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, fixed, and what is recorded of its training."""

    network: AbstractPart
    recipe: str  # "" where it is not recorded
    seconds: float | None  # None where it is not recorded


def trained(folder: Path, part: str, device: torch.device, size: int = 64) -> Trained:
    """The network of that name. Raises `FacecrafterError` where the folder has none."""
    folder = in_project(folder)
    if not (folder / MANIFEST).exists():
        found = generator(folder) if part == "prior" else restore(folder, part, size)
        network = found.to(device)
        return Trained(network, recipe(folder), seconds(folder))
    found = bundles.load(folder, device)
    recipes, took = (found.facts.get(fact, {}) for fact in ("recipes", "seconds"))
    return Trained(found.part(part), recipes.get(part, ""), took.get(part))


def target_of(folder: Path, device: torch.device) -> AbstractSplitModel:
    """Enc and f, fixed. Raises `FacecrafterError` where the folder has none."""
    network = trained(folder, "target", device).network
    if not isinstance(network, AbstractSplitModel):
        raise _other(folder, network)
    return network


def prior_of(folder: Path, device: torch.device) -> Prior:
    """G, fixed. Raises `FacecrafterError` where the folder has none."""
    network = trained(folder, "prior", device).network
    if not isinstance(network, Prior):
        raise _other(folder, network)
    return network


def _other(folder: Path, network: AbstractPart) -> DataError:
    return DataError(f"{folder.name} holds a {type(network).__name__}: name another folder.")
