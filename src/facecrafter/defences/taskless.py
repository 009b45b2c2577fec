"""Games that know no task: Enc is trained alone, and f is left to the cloud.

In the development scenario (paper, III-A) nobody knows yet what features will be asked. So the
cloud trains its f when the game is over, behind an Enc that stays as it is
(`facecrafter.training.head.HeadTraining`).
"""

import abc

from torch import Tensor, nn

from facecrafter.defences.game import AbstractPlayers
from facecrafter.errors import SettingError
from facecrafter.models.split import AbstractSplitModel, ResNet
from facecrafter.training.head import ENCODER


class AbstractTaskless(AbstractPlayers, abc.ABC):
    """Players whose `target` encodes and answers nothing: see `without_head`."""


class _Untrained(nn.Module):
    """In the place of a part of f."""

    def forward(self, features: Tensor) -> Tensor:
        raise SettingError(
            "this game trains Enc alone, so it has no f that could answer: train one on released "
            "features (facecrafter.training.head.HeadTraining)."
        )


def without_head(target: AbstractSplitModel) -> ResNet:
    """The same network, whose parameters are those of Enc alone from now on.

    `target` is changed, and its `embed` and `head` raise `SettingError`. So does this for a VGG-16,
    behind which no f is trained alone.
    """
    if not isinstance(target, ResNet):
        raise SettingError(
            f"the target is a {type(target).__name__}: f is trained alone behind a ResNet only, so "
            "a game without a task begins with one."
        )
    for name, _ in list(target.named_children()):
        if name not in ENCODER:
            setattr(target, name, _Untrained())
    return target
