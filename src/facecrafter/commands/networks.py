"""A network from wherever it lies: the folder of a training, or a bundle."""

from pathlib import Path

import torch

from facecrafter import bundle as bundles
from facecrafter.errors import DataError
from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel
from facecrafter.pinned import MANIFEST
from facecrafter.training.restore import recipe, restore, seconds


def is_bundle(folder: Path) -> bool:
    """Whether it is a bundle, not the folder of a training."""
    return (folder / MANIFEST).exists()


def part_of(folder: Path, part: str, device: torch.device, size: int = 64) -> AbstractPart:
    """The network of that name, fixed. Raises `FacecrafterError` where the folder has none."""
    if is_bundle(folder):
        return bundles.load(folder, device).part(part)
    return restore(folder, part, size).to(device)


def recipe_of(folder: Path, part: str) -> str:
    """What the network was trained with; "" where it is not recorded."""
    if is_bundle(folder):
        return bundles.load(folder).facts.get("recipes", {}).get(part, "")
    return recipe(folder)


def seconds_of(folder: Path, part: str) -> float | None:
    """How long its training took; None where it is not recorded."""
    if is_bundle(folder):
        return bundles.load(folder).facts.get("seconds", {}).get(part)
    return seconds(folder)


def target_of(folder: Path, device: torch.device) -> AbstractSplitModel:
    """Enc and f, fixed. Raises `FacecrafterError` where the folder has none."""
    network = part_of(folder, "target", device)
    if not isinstance(network, AbstractSplitModel):
        raise _other(folder, network)
    return network


def prior_of(folder: Path, device: torch.device) -> Prior:
    """G, fixed. Raises `FacecrafterError` where the folder has none."""
    network = part_of(folder, "prior", device)
    if not isinstance(network, Prior):
        raise _other(folder, network)
    return network


def _other(folder: Path, network: AbstractPart) -> DataError:
    return DataError(f"{folder.name} holds a {type(network).__name__}: name another folder.")
