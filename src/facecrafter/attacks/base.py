"""An attack is a recipe that fits a module from features to images."""

import abc
from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, nn

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.prior import Prior
from facecrafter.types import Features, Images, Latents

Encode = Callable[[Images], Features]


@dataclass(frozen=True)
class AttackerView:
    """All that an adversary may read (III-B). Without an encoder it is a black-box one."""

    query: Encode  # images in, features out: what a man in the middle can always do
    public: Faces | None = None  # faces from the internet, no private person among them
    encoder: Encode | None = None  # Enc with its weights: white-box
    prior: Prior | None = None  # G
    amortiser: Amortiser | None = None  # a guess at z*, trained on the prior's own faces
    shadows: tuple[nn.Module, ...] = ()  # decoders that the attacker trained beforehand (Eq. 2)
    protect: Encode | None = None  # the defence itself, for adaptive attacks

    def explain(self, latents: Latents) -> Features:
        """Enc(G(z)); for a white-box attacker with a prior."""
        return self.need_encoder()(self.need_prior()(latents))

    def need_encoder(self) -> Encode:
        """The encoder, or `SettingError`: this view is black-box."""
        if self.encoder is None:
            raise SettingError("this attack needs the encoder's weights: give a white-box view.")
        return self.encoder

    def need_prior(self) -> Prior:
        """The prior, or `SettingError`."""
        if self.prior is None:
            raise SettingError("this attack searches a prior's latent space: give one in the view.")
        return self.prior


class AbstractInverter(nn.Module, abc.ABC):
    """A fitted attack: features to images. Its parameters are the attacker's own."""

    @abc.abstractmethod
    def forward(self, features: Features) -> Images:
        """Reconstruct a face from each feature, RGB, 0 to 1."""


class AbstractAttack(abc.ABC):
    """Hyperparameters of an attack. Subclasses are frozen dataclasses."""

    @abc.abstractmethod
    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        """The inverter that these hyperparameters give to an attacker with this view."""
