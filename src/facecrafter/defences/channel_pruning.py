"""Channel pruning: channels of the feature removed at random, the same ones always; a baseline.

`Disco` learns which ones to remove, and other ones for each photograph.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import SettingError
from facecrafter.randomness import child, permutation, stream
from facecrafter.types import Images


@dataclass(frozen=True)
class ChannelPruning(AbstractDefence):
    """Release Enc(X), the share `pruned` of its channels set to 0.

    Which ones is drawn once, when the defence is fitted. Raises `SettingError`.
    """

    pruned: float = 0.5  # 0 to below 1; ours

    def __post_init__(self) -> None:
        if not 0 <= self.pruned < 1:
            raise SettingError(
                f"pruned={self.pruned:g} of ChannelPruning: give a share of the channels, from 0 "
                "to below 1, for what loses them all tells the cloud nothing."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _ChannelPruning(self, offline, child(rng, "channels").initial_seed())


class _ChannelPruning(AbstractProtector):
    def __init__(self, recipe: ChannelPruning, offline: Offline, seed: int) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline, self.seed = recipe, offline, seed

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
        return Release(raw * self.kept(raw.shape[1]).to(raw), straight(images))

    def kept(self, channels: int) -> Tensor:
        """1 for a channel that is sent, 0 for another; (channels, 1, 1)."""
        count = max(1, round((1 - self.recipe.pruned) * channels))
        chosen = permutation(channels, stream(self.seed, "channels"))[:count]
        return torch.zeros(channels).index_fill(0, chosen, 1.0)[:, None, None]
