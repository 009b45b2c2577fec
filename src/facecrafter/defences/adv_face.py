"""AdvFace: move the feature to where a shadow decoder errs most.

Wang et al., "Privacy-preserving Adversarial Facial Features", CVPR 2023. No code of theirs. A
shadow decoder stands for the attacker's; noise along the sign of its slope takes the feature away
from what it can read, within a bound for each entry. Theirs is added on a server, to what it
stores, and raises the distance to what the decoder makes of the plain feature; the device has the
photograph, so the distance here is to that.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractProtector, Offline, Release, straight
from facecrafter.defences.equipped import AbstractEquipped, leading
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.randomness import permutation, stream
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_positive
from facecrafter.types import Features, Images, Scores

MEASURED = 512  # public faces whose features tell the unit of `epsilon`; ours
SHADOW = DecoderTraining(width=64, epochs=10, bfloat16=True)  # as this project's attackers' own


class Shadow(nn.Module):
    """A decoder of the device's own, and how much features vary."""

    deviation: Tensor  # of an entry of Enc(X) from the mean of its channel, over public faces

    def __init__(self, decoder: nn.Module, deviation: Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.register_buffer("deviation", deviation)

    def errors(self, features: Features, images: Images) -> Scores:
        """Mean squared error of a pixel, 0 to 1, for each photograph."""
        return (self.decoder(features).float() - images).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class AdvFace(AbstractEquipped[Shadow]):
    """Signed steps that raise the error of a shadow decoder, no entry moved by more than a bound.

    Raises `SettingError`.
    """

    epsilon: float = 1.0  # the bound, in deviations of an entry over public faces; ours
    steps: int = 10  # ours
    stride: float = 2.5  # all steps together, in bounds; ours
    # as an attacker would train his, but never his own: its seeds are drawn from another stream
    shadow: DecoderTraining = SHADOW  # ours
    bfloat16: bool = False  # mixed precision of the steps; ours

    def __post_init__(self) -> None:
        require_counts(self, "steps")
        require_positive(self, "epsilon", "stride")

    @property
    def lessons(self) -> DecoderTraining:
        return self.shadow

    def prepare(
        self, offline: Offline, public: Faces, seed: int, folder: Path | None, device: torch.device
    ) -> Shadow:
        own = stream(seed, "AdvFace shadow").initial_seed()
        decoder = self.shadow.fit(offline.encode, public, own, folder, device)
        chosen = permutation(len(public), stream(seed, "AdvFace unit"))[:MEASURED]
        with torch.no_grad():
            features = offline.encode(public.images(chosen.numpy()).to(device))
        mean = features.mean(dim=(0, 2, 3), keepdim=True)
        return Shadow(fold_batch_norms(frozen(decoder)), (features - mean).square().mean().sqrt())

    def protector(self, offline: Offline, equipment: Shadow) -> AbstractProtector:
        return _AdvFace(self, offline, equipment)


class _AdvFace(AbstractProtector):
    def __init__(self, recipe: AdvFace, offline: Offline, shadow: Shadow) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline, self.shadow = recipe, offline, shadow

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
        bound = self.recipe.epsilon * self.shadow.deviation
        pace = bound * self.recipe.stride / self.recipe.steps
        moved = raw
        for _ in range(self.recipe.steps):
            moved = moved + pace * self._slope(moved, images).sign()
            moved = raw + (moved - raw).clamp(-bound, bound)
        return Release(moved, straight(images))

    def _slope(self, features: Features, images: Images) -> Features:
        at = features.detach().requires_grad_()
        with torch.enable_grad(), mixed(images.device, self.recipe.bfloat16):
            lost = self.shadow.errors(at, images).sum()
        (slope,) = torch.autograd.grad(lost, at)
        return leading(slope)
