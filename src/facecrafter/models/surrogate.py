"""A small network of the trusted party's own, for questions of the kind that the cloud answers.

It reads features, as f does, but shares no weight with f. A device that holds it knows what kind of
use its features are for; `facecrafter.defences.utility.TaskUtility` says what for.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facecrafter.models.part import AbstractPart
from facecrafter.models.split import BasicBlock
from facecrafter.types import Embeddings, Features, Logits


class Surrogate(AbstractPart):
    """Features to answers, by one residual block for each width, each halving the map."""

    spread: Tensor  # deviation of `embed` and of the answers over public faces, summed over columns

    def __init__(
        self,
        channels: int,
        tasks: int,
        widths: Sequence[int] = (96, 128, 192),  # ours
    ) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "tasks": tasks, "widths": tuple(widths)}
        inside = (channels, *widths[:-1])
        blocks = [BasicBlock(i, width, 2) for i, width in zip(inside, widths, strict=True)]
        self.layers = nn.Sequential(*blocks)
        self.fc = nn.Linear(widths[-1], tasks)
        self.register_buffer("spread", torch.ones(2))

    def embed(self, features: Features) -> Embeddings:
        """All but the last layer."""
        return self.layers(features).mean(dim=(2, 3))

    def forward(self, features: Features) -> Logits:
        return self.fc(self.embed(features))

    def signature(self, features: Features) -> Embeddings:
        """Embedding and answers side by side, each with half of the weight.

        So scaled that the mean squared distance of two public faces is 2.
        """
        embedding = self.embed(features)
        both = (embedding / self.spread[0], self.fc(embedding) / self.spread[1])
        return torch.cat(both, dim=1) / 2**0.5

    def measure_spread(self, embeddings: Embeddings) -> None:
        """Take the scales of `signature` from these public faces."""
        for i, values in enumerate((embeddings, self.fc(embeddings))):
            self.spread[i] = values.var(dim=0).sum().sqrt()
