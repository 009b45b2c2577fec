"""What defences have in common that change the photograph and leave Enc alone (paper, VI-A, VI-D).

The photograph gets a cloak that networks misread which tell people apart, and then Enc sees it. In
the paper's other variant it is Enc that is to misread it.
"""

import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractProtector, Offline, Release, straight
from facecrafter.defences.equipped import AbstractEquipped, Equipment
from facecrafter.defences.people import ByEncoder, Ensemble, Recognisers, Seen
from facecrafter.training.settings import require_choice
from facecrafter.types import Images, Scores

SIGMA, RADIUS = 1.5, 5  # pixels, of a window of SSIM; Wang et al. 2004, section III-B
C1, C2 = 0.01**2, 0.03**2  # keep a flat window defined; Wang et al. 2004, section III-B


@dataclass(frozen=True, kw_only=True)
class AbstractCloak(AbstractEquipped[Equipment], Generic[Equipment]):
    """Who is to misread the photograph."""

    evades: Literal["people", "encoder"] = "people"  # paper, VI-A, or Enc itself; paper, VI-D
    ensemble: Ensemble = field(default_factory=Ensemble)  # not trained where Enc is evaded
    bfloat16: bool = False  # mixed precision of the steps; ours

    def __post_init__(self) -> None:
        require_choice(self, "evades", "people", "encoder")

    @property
    def lessons(self) -> object:
        return self.ensemble

    def recognisers(
        self, offline: Offline, public: Faces, seed: int, folder: Path | None, device: torch.device
    ) -> Recognisers:
        """The networks that are to misread it."""
        if self.evades == "encoder":
            return Recognisers([ByEncoder(offline.encode)])
        return self.ensemble.fit(public, seed, folder, device)


class AbstractCloaked(AbstractProtector):
    """Cloak, then encode."""

    def __init__(self, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.offline = offline

    def protect(self, images: Images, rng: Generator) -> Release:
        cloaked = self.cloak(images, rng)
        with torch.no_grad():
            return Release(self.offline.encode(cloaked), straight(images))

    @abc.abstractmethod
    def cloak(self, images: Images, rng: Generator) -> Images:
        """Photographs in the place of these, 0 to 1."""


def dissimilarity(cloaked: Images, images: Images) -> Scores:
    """DSSIM of each pair, (1 - SSIM) / 2; 0 = equal. Slopes pass through.

    The edge is mirrored. Else windows that lie wholly inside would hardly see the outermost pixels,
    and at 64 pixels these are so many that a cloak would be made of them.
    """
    mean, original_mean = (_window(one) for one in (cloaked, images))
    variance = _window(cloaked**2) - mean**2
    original_variance = _window(images**2) - original_mean**2
    covariance = _window(cloaked * images) - mean * original_mean
    light = (2 * mean * original_mean + C1) / (mean**2 + original_mean**2 + C1)
    structure = (2 * covariance + C2) / (variance + original_variance + C2)
    return (1 - (light * structure).mean(dim=(1, 2, 3))) / 2


def gaussian(images: Tensor, sigma: float, radius: int) -> Tensor:
    """Gaussian mean around each pixel, over `radius` pixels to all sides; the edge is mirrored."""
    wide = pad(images, (radius,) * 4, mode="reflect")
    places = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    window = torch.exp(-(places**2) / (2 * sigma**2))
    window = (window / window.sum()).expand(3, 1, 1, -1)
    return conv2d(conv2d(wide, window, groups=3), window.transpose(2, 3), groups=3)


def _window(images: Images) -> Tensor:
    return gaussian(images, SIGMA, RADIUS)


def apart(seen: Seen, reference: Seen) -> list[Tensor]:
    """By each network, how far apart two embeddings are, in lengths of the reference; (batch,)."""
    return [
        (one.float() - other).norm(dim=1) / other.norm(dim=1).clamp(min=1e-6)
        for one, other in zip(seen, reference, strict=True)
    ]
