"""Adv Learning: Enc and f against a decoder that learns to invert them (Table III).

Xiao et al., "Adversarial Learning of Privacy-Preserving and Task-Oriented Representations", AAAI
2020. No code of theirs. L_attacker is how far the decoder's faces are from the photographs,
L_privacy its opposite, so that the defender stays away from what this one decoder can read. Another
decoder, trained on what was released in the end, is not in the game (A1).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from facecrafter.data.faces import Faces
from facecrafter.defences.game import AbstractGame, AbstractPlayers, Batch
from facecrafter.models.decoder import Decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Images


class Inverted(AbstractPlayers):
    """Enc and f, and a decoder."""

    def __init__(self, target: AbstractSplitModel, decoder: Decoder) -> None:
        self.target, self.decoder = target, decoder

    def attackers(self) -> Mapping[str, nn.Module]:
        return {"decoder": self.decoder}

    @property
    def inverse(self) -> Decoder:
        return self.decoder

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        return -self.attack(features, batch)

    def utility(self, features: Features, batch: Batch) -> Tensor:
        return binary_cross_entropy_with_logits(self.target.head(features).float(), batch.labels)

    def attack(self, features: Features, batch: Batch) -> Tensor:
        return apart(self.decoder(features).float(), batch.images)


@dataclass(frozen=True)
class AdversarialLearning(AbstractGame[Inverted]):
    """Adv Learning. `play` returns Enc with its f, and the decoder of the game.

    `weight` is the paper's lambda, 0.1, 0.5 or 0.8. How it weighs the losses is ours, for neither
    paper says in which unit: (1 - lambda) cross-entropy + lambda times the root of the mean squared
    error of a pixel, 0 to 1. Raises `SettingError`.
    """

    width: int = 64  # of the decoder; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "width")

    def players(self, target: AbstractSplitModel, faces: Faces) -> Inverted:
        place = next(target.parameters()).device
        with torch.no_grad():
            _, channels, side, _ = target.eval().encode(faces.images([0]).to(place)).shape
        return Inverted(target, Decoder(channels, side, faces.size, self.width))


def apart(faces: Images, images: Images) -> Tensor:
    """Root of the mean squared error of each face, 0 to 1; the mean over faces."""
    return (faces - images).square().mean(dim=(1, 2, 3)).clamp(min=1e-12).sqrt().mean()
