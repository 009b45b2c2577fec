"""A defence is a recipe that fits a module from images to features."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Generator, Tensor, nn

from facecrafter.errors import DataError, NotProtected
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.prior import Prior
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import child
from facecrafter.types import Features, Images, Latents, Order

Encode = Callable[[Images], Features]


@dataclass(frozen=True)
class Offline:
    """What the trusted party and the cloud hand to a device beforehand (IV-C). No private face."""

    encode: Encode  # Enc, from the cloud
    prior: Prior  # G, from any trusted party; it, too, stands for the public faces
    amortiser: Amortiser | None = None  # optional: a first guess at z*
    critic: Critic | None = None  # optional: D, trained beforehand, to start from
    surrogate: Surrogate | None = None  # optional: knows the kind of the cloud's questions

    def explain(self, latents: Latents) -> Features:
        """Enc(G(z))."""
        return self.encode(self.prior(latents))


@dataclass(frozen=True)
class Release:
    """What a protector gives: only `features` leaves the device."""

    features: Features
    order: Order  # features[i] belongs to images[order[i]]; stays on the device

    def in_order_of_images(self) -> Features:
        """features[inverse]: row i belongs to image i. For measuring, never for sending."""
        return self.features[torch.argsort(self.order)]


class AbstractProtector(nn.Module, abc.ABC):
    """A fitted defence: images to a release. Authors write `protect`; `forward` keeps the door."""

    # where a protection that may take hours keeps how far it is; of one batch, seed and code
    folder: Path | None = None

    def __init__(self, size: int | None = None) -> None:
        """`size`: height and width of the images that Enc takes, pixels; None asks for none."""
        super().__init__()
        self.size = size

    @final
    def forward(self, images: Images, rng: Generator) -> Release:
        """Protect a batch. `rng` is the source of all that is random; each call advances it.

        Raises `DataError` for what is no batch of photographs, and `NotProtected` rather than
        return a feature that is not finite.
        """
        require_images(images, self.size)
        own = child(rng, "protect")
        torch.rand((), generator=rng)  # so that the next batch has other average faces
        release = self.protect(images, own)
        if not bool(torch.isfinite(release.features).all()):
            raise NotProtected(
                "a protected feature is not finite, so nothing was released. Check the weights "
                "(facecrafter.bundle.load verifies them) and lower the defence's rate."
            )
        return release

    @abc.abstractmethod
    def protect(self, images: Images, rng: Generator) -> Release:
        """The method itself; called with finite images, 0 to 1."""


class AbstractDefence(abc.ABC):
    """Hyperparameters of a defence. Subclasses are frozen dataclasses."""

    @abc.abstractmethod
    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        """The protector that these hyperparameters give."""


def straight(images: Images) -> Order:
    """The order of features that were not shuffled."""
    return torch.arange(len(images))


def require_images(images: Tensor, size: int | None = None) -> None:
    """Raise `DataError` unless these are finite RGB images, 0 to 1."""
    if images.ndim != 4 or images.shape[1] != 3 or len(images) == 0:
        raise DataError(
            f"images of shape {tuple(images.shape)}: give (batch, 3, height, width), at least one."
        )
    if size is not None and images.shape[2:] != (size, size):
        raise DataError(
            f"images are {images.shape[2]} x {images.shape[3]} pixels, the networks are for "
            f"{size} x {size}: scale the crops."
        )
    if not bool(((images >= -1e-4) & (images <= 1 + 1e-4)).all()):
        low, high = images.min().item(), images.max().item()
        raise DataError(
            f"pixel values from {low} to {high}: they must be finite and within 0 to 1. "
            "Divide bytes by 255."
        )
