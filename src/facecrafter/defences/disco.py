"""Disco: Adv Learning with a pruner that removes channels of each feature (Table III).

Singh et al., "DISCO: Dynamic and Invariant Sensitive Channel Obfuscation for Deep Neural Networks",
CVPR 2021. No code of theirs. The pruner sees the feature, so that each photograph has channels of
its own removed; Enc, f and the pruner play together against a decoder.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.defences.adversarial import AdversarialLearning, Inverted
from facecrafter.defences.game import AbstractGame
from facecrafter.errors import SettingError
from facecrafter.models.split import AbstractSplitModel
from facecrafter.training.settings import require_counts
from facecrafter.types import Embeddings, Features, Images, Logits


class Pruner(nn.Module):
    """Keeps the channels of a feature with the highest scores, and sets the others to 0."""

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.score = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels)
        )

    def forward(self, features: Features) -> Features:
        # slopes pass to the scores of all channels as if a sigmoid had weighed them
        soft = self.score(features.mean(dim=(2, 3))).sigmoid()
        chosen = torch.zeros_like(soft).scatter(1, soft.topk(self.kept, dim=1).indices, 1.0)
        return features * (chosen + soft - soft.detach())[:, :, None, None]


class Pruned(AbstractSplitModel):
    """A target whose device prunes what Enc gives; the cloud's part is the target's own."""

    def __init__(self, target: AbstractSplitModel, channels: int, kept: int) -> None:
        super().__init__()
        self.arguments = {**target.arguments, "channels": channels, "kept": kept}
        self.target, self.pruner = target, Pruner(channels, kept)

    def encode(self, images: Images) -> Features:
        return self.pruner(self.target.encode(images))

    def embed(self, features: Features) -> Embeddings:
        return self.target.embed(features)

    def head(self, features: Features) -> Logits:
        return self.target.head(features)


@dataclass(frozen=True)
class Disco(AbstractGame[Inverted]):
    """Disco. `play` returns Enc with its pruner and f, and the decoder of the game.

    `weight` is the paper's lambda, 0.2, 0.6 or 0.8; losses as in `AdversarialLearning`. Raises
    `SettingError`.
    """

    pruned: float = 0.6  # share of the channels that each feature loses, 0 to below 1; ours
    width: int = 64  # of the decoder; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "width")
        if not 0 <= self.pruned < 1:
            raise SettingError(
                f"pruned={self.pruned:g} of Disco: give a share of the channels, from 0 to below "
                "1, for what loses them all tells the cloud nothing."
            )

    def players(self, target: AbstractSplitModel, faces: Faces) -> Inverted:
        place = next(target.parameters()).device
        channels = _channels(target, faces.images([0]).to(place))
        kept = max(1, round((1 - self.pruned) * channels))
        pruned = Pruned(target, channels, kept).to(place)
        return AdversarialLearning(width=self.width).players(pruned, faces)


def _channels(target: AbstractSplitModel, images: Tensor) -> int:
    with torch.no_grad():
        return target.eval().encode(images).shape[1]
