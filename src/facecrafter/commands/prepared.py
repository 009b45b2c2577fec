"""A bundle made ready: what the device holds, and what an attacker would."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from facecrafter import bundle as bundles
from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.bundle import Bundle
from facecrafter.defences.base import Encode, Offline
from facecrafter.errors import BundleError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.prior import Prior
from facecrafter.models.surrogate import Surrogate
from facecrafter.paper.precision import suited
from facecrafter.paper.threats import threats

AttackName = Literal["white-box", "black-box", "hybrid"]
ATTACKS: tuple[AttackName, ...] = ("white-box", "black-box", "hybrid")
DEFAULT = Path("bundles/lfw64")
# what the repository holds beside the package, where it is installed from a checkout
PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Prepared:
    """A bundle with its batch norms folded, for searches that pass through it often."""

    bundle: Bundle
    device: torch.device
    encode: Encode  # Enc
    prior: Prior  # G
    surrogate: Surrogate | None
    shadows: tuple[Bundle, ...] = ()  # each holds one more decoder, for the attacker

    @property
    def size(self) -> int:
        """Height and width of the images, pixels."""
        return image_size(self.bundle)

    def feature_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a feature of this encoder."""
        with torch.no_grad():
            probe = self.encode(torch.zeros(1, 3, self.size, self.size, device=self.device))
        _, channels, height, width = probe.shape
        return channels, height, width

    def offline(self) -> Offline:
        """What a device is given to craft with."""
        bundle = self.bundle
        return Offline(self.encode, self.prior, bundle.amortiser, bundle.critic, self.surrogate)

    def view(self) -> AttackerView:
        """The strongest basic attacker: the encoder, the prior and decoders trained beforehand."""
        decoders = (bundle.need("decoder") for bundle in (self.bundle, *self.shadows))
        return AttackerView(
            query=self.encode,
            encoder=self.encode,
            prior=self.prior,
            amortiser=self.bundle.amortiser,
            shadows=tuple(decoders),
        )

    def attack(self, name: AttackName) -> AbstractAttack:
        """One of the paper's three basic attacks (Eqs. 2 to 4), with all decoders."""
        several = threats(decoders=1 + len(self.shadows))
        found = next(threat.attack for threat in several if threat.name == name)
        return suited(found, self.device)


def image_size(bundle: Bundle) -> int:
    """Height and width of the images that its networks are for. Raises `BundleError`."""
    size = bundle.facts.get("size")
    if type(size) is not int:
        raise BundleError("this bundle does not say its image size: make it anew.")
    return size


def prepare(folder: Path, device: torch.device) -> Prepared:
    """Load a bundle, checked. Raises `BundleError`."""
    bundle = bundles.load(in_project(folder), device)
    target, prior = fold_batch_norms(bundle.need("target")), fold_batch_norms(bundle.need("prior"))
    surrogate = None if bundle.surrogate is None else fold_batch_norms(bundle.surrogate)
    shadows = tuple(bundles.load(shadow, device) for shadow in shadows_of(folder))
    return Prepared(bundle, device, target.encode, prior, surrogate, shadows)


def in_project(folder: Path) -> Path:
    """The folder as given, or the one of that name in the project."""
    inside = PROJECT / folder
    return inside if not folder.exists() and inside.exists() else folder


def shadows_of(bundle: Path, named: Sequence[Path] | None = None) -> tuple[Path, ...]:
    """Bundles that hold one more decoder each: those named, else those beside the bundle.

    Beside `lfw64` these are `lfw64-shadow1`, `lfw64-shadow2` and so on.
    """
    if named is not None:
        return tuple(in_project(folder) for folder in named)
    folder = in_project(bundle)
    return tuple(sorted(folder.parent.glob(f"{folder.name}-shadow*")))
