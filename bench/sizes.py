"""Networks of the paper's sizes with random weights, on which no cost depends."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from facecrafter.defences.base import Offline
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16
from facecrafter.randomness import stream
from facecrafter.types import Images


@dataclass(frozen=True)
class Size:
    """A row of Table VII: a cut, and how large its images and features are."""

    name: str
    network: Callable[[], AbstractSplitModel]
    channels: int
    image: int  # pixels
    paper: float  # seconds per image on an RTX 3090; paper, Table VII


SIZES = (
    Size("64 x 16 x 16", lambda: ResNet(40), 64, 64, 27.15),
    Size("128 x 16 x 16", lambda: Vgg16(40, hidden=64, pool=1), 128, 64, 30.82),
    Size("64 x 32 x 32", lambda: ResNet(40), 64, 128, 53.71),
)


@cache
def made(size: Size, latent: int, device: str) -> Offline:
    """Untrained networks of the paper's sizes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        target = fold_batch_norms(frozen(size.network())).to(device)
        prior = fold_batch_norms(frozen(Prior(latent, size=size.image, depth=4))).to(device)
        amortiser = frozen(Amortiser(size.channels, latent)).to(device)
    return Offline(target.encode, prior, amortiser)


def some(size: Size, count: int, device: str) -> Images:
    """Noise of the size of photographs."""
    shape = (count, 3, size.image, size.image)
    return torch.rand(shape, generator=stream(0, "images")).to(device)
