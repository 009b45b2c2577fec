"""L_u: how much of its use a feature has lost (Eq. 6). What a defence knows of the task is here.

`FeatureUtility`, the paper's, knows nothing: each number of a feature counts alike. `TaskUtility`
knows the kind of questions that the cloud answers, from a surrogate that the trusted party trained
on public faces; it has none of the cloud's weights.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass

import torch

from facecrafter.defences.base import Offline
from facecrafter.errors import SettingError
from facecrafter.inversion import squared
from facecrafter.types import Features, Scores

Loss = Callable[[Features], Scores]  # F_X to L_u of each image, differentiable


class AbstractUtility(abc.ABC):
    """What is to be kept. Subclasses are frozen dataclasses."""

    @abc.abstractmethod
    def of(self, offline: Offline, raw: Features) -> Loss:
        """L_u for one batch, `raw` its features Enc(X)."""


@dataclass(frozen=True)
class FeatureUtility(AbstractUtility):
    """The mean square by which F differs from Enc(X) (Eq. 6, squared)."""

    def of(self, offline: Offline, raw: Features) -> Loss:
        return lambda features: squared(features - raw) / raw[0].numel()


@dataclass(frozen=True)
class TaskUtility(AbstractUtility):
    """The squared distance of what a surrogate reads in F and in Enc(X); two faces are 2 apart.

    The surrogate knows some of the cloud's questions, so `offline` needs one. `features` keeps
    something of all other uses too.
    """

    features: float = 0.1  # weight of Eq. 6 beside the surrogate's distance; ours

    def __post_init__(self) -> None:
        if not 0 <= self.features < torch.inf:
            raise SettingError(f"features={self.features} of TaskUtility: give a number from 0.")

    def of(self, offline: Offline, raw: Features) -> Loss:
        surrogate = offline.surrogate
        if surrogate is None:
            raise SettingError(
                "TaskUtility needs a surrogate among what was prepared offline: train one with "
                "`facecrafter train surrogate`, or use FeatureUtility(), which knows no task."
            )
        everything = FeatureUtility().of(offline, raw)
        with torch.no_grad():
            wanted = surrogate.signature(raw)

        def loss(features: Features) -> Scores:
            read = squared(surrogate.signature(features) - wanted)
            return read + self.features * everything(features)

        return loss
