"""NoPeek: Enc and f under a penalty on the distance correlation of photographs and features.

Vepakomma et al., "NoPeek: Information leakage reduction to share activations in distributed deep
learning", ICDM Workshops 2020. No code of theirs. Distance correlation (Szekely et al. 2007) asks
whether photographs that are far from each other have features that are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from facecrafter.data.faces import Faces
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.defences.game import AbstractGame, Batch
from facecrafter.defences.watched import AbstractWatched
from facecrafter.models.split import AbstractSplitModel
from facecrafter.training.settings import require_counts
from facecrafter.types import Features


class Unlike(AbstractWatched):
    """Enc and f, whose features are to be unlike the photographs."""

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        return distance_correlation(batch.images, features)


@dataclass(frozen=True)
class NoPeek(AbstractGame[Unlike]):
    """NoPeek. `play` returns Enc with its f, and the decoder that looked on.

    The loss is (1 - `weight`) cross-entropy + `weight` times the distance correlation of the
    photographs of a batch with their features, 0 to 1. It is that of the batch, which is biased: of
    few photographs with long features it is far above 0 even where the two have nothing to do with
    each other. Raises `SettingError`.
    """

    width: int = 64  # of the decoder; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "width")

    def players(self, target: AbstractSplitModel, faces: Faces) -> Unlike:
        made = AdversarialLearning(width=self.width).players(target, faces)
        return Unlike(made.target, made.decoder)


def distance_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Distance correlation of two batches of as many rows, of any shape each: 0 to 1.

    1 for maps that keep the ratios of all distances; 0 where a batch has no differences.
    """
    with torch.autocast(one.device.type, enabled=False):  # small differences of large numbers
        first, second = (_centred(_distances(batch.flatten(1).float())) for batch in (one, other))
        shared = (first * second).mean()
        own = (first.square().mean() * second.square().mean()).clamp(min=1e-20).sqrt()
        return (shared / own).clamp(min=1e-12).sqrt()


def _distances(rows: Tensor) -> Tensor:
    """Of each row from each, (rows, rows); with slopes of 0 where two rows are the same."""
    rows = rows - rows.mean(dim=0)
    inner = rows @ rows.T
    squares = inner.diagonal()
    apart = squares[:, None] + squares - 2 * inner
    return torch.where(apart > 1e-12, apart, 1.0).sqrt() * (apart > 1e-12)


def _centred(distances: Tensor) -> Tensor:
    """Less the means of row and column, plus that of all."""
    rows = distances.mean(dim=0, keepdim=True)
    return distances - rows - rows.T + rows.mean()
