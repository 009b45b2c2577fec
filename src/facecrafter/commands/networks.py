"""A network from wherever it lies: the folder of a training, or a bundle."""

from pathlib import Path

import torch

from facecrafter import bundle as bundles
from facecrafter.errors import DataError
from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel
from facecrafter.pinned import MANIFEST
from facecrafter.training.restore import restore


def target_of(folder: Path, device: torch.device) -> AbstractSplitModel:
    """Enc and f, fixed. Raises `FacecrafterError` where the folder has none."""
    if (folder / MANIFEST).exists():
        return bundles.load(folder, device).need("target")
    network = restore(folder, "target").to(device)
    if not isinstance(network, AbstractSplitModel):
        raise _other(folder, network)
    return network


def prior_of(folder: Path, device: torch.device) -> Prior:
    """G, fixed. Raises `FacecrafterError` where the folder has none."""
    if (folder / MANIFEST).exists():
        return bundles.load(folder, device).need("prior")
    network = restore(folder, "prior").to(device)
    if not isinstance(network, Prior):
        raise _other(folder, network)
    return network


def _other(folder: Path, network: AbstractPart) -> DataError:
    return DataError(f"{folder.name} holds a {type(network).__name__}: name another folder.")
