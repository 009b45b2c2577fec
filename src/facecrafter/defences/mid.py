"""MID: a Gaussian channel at the cut, and a penalty on what passes through it.

T. Wang, Zhang, Jia, "Improving Robustness to Model Inversion Attacks via Mutual Information
Regularization", AAAI 2021, penalise what a network's output tells of its input; Zou, Liu, Zhang,
"Mutual Information Regularization for Vertical Federated Learning", 2023, what is sent at the cut.
Both by the variational information bottleneck (Alemi et al., ICLR 2017). No code of theirs; that
the noise has one fixed deviation is ours. No attacker is in the penalty: the decoder of this game
learns from what is released, and steers nobody.
"""

from dataclasses import dataclass
from math import log

from torch import Tensor

from facecrafter.data.faces import Faces
from facecrafter.defences.game import Batch
from facecrafter.defences.noisy import UNIT, AbstractNoisyGame, Noisy, fresh_decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.types import Features


class Bottleneck(Noisy):
    """Enc and f with a channel between them that is to carry little."""

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        return divergence(self.without_noise(features), self.deviation) / UNIT


@dataclass(frozen=True)
class MID(AbstractNoisyGame):
    """MID. `play` returns Enc with its f, and a decoder for what it releases.

    The device sends Enc(X) + `deviation` x standard normal noise. The loss is (1 - `weight`)
    cross-entropy + `weight` times a tenth of the Kullback-Leibler divergence of what is sent, given
    X, from a standard normal distribution: nats, the mean over the values of a feature. So many
    nats for each value, at most, does what is sent tell of its photograph. Raises `SettingError`.
    """

    def players(self, target: AbstractSplitModel, faces: Faces) -> Bottleneck:
        return Bottleneck(target, fresh_decoder(target, faces, self.width), self.deviation)


def divergence(mean: Tensor, deviation: float) -> Tensor:
    """KL of N(mean, deviation^2) from N(0, 1), nats; the mean over all values of `mean`."""
    return (mean.square().mean() + deviation**2 - 1) / 2 - log(deviation)
