"""Games without an opponent: a penalty takes the attacker's place, and a decoder looks on.

The loop of all games wants an attacker who learns. This one steers nobody; its losses tell, step by
step, what could be read. It saw private photographs, so it is nobody's when the game is over: a
basic attacker trains a decoder of his own, on public ones.
"""

import abc
from collections.abc import Mapping

from torch import Tensor, nn

from facecrafter.defences.adversarial import Inverted
from facecrafter.defences.game import AbstractPlayers, Batch
from facecrafter.models.decoder import Decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.types import Features


class AbstractWatched(AbstractPlayers, abc.ABC):
    """Enc and f, which a penalty hinders, and a decoder that looks on."""

    def __init__(self, target: AbstractSplitModel, decoder: Decoder) -> None:
        self.target = target
        self._seen = Inverted(target, decoder)

    @property
    def decoder(self) -> Decoder:
        """That looks on."""
        return self._seen.decoder

    def attackers(self) -> Mapping[str, nn.Module]:
        return self._seen.attackers()

    def utility(self, features: Features, batch: Batch) -> Tensor:
        return self._seen.utility(features, batch)

    def attack(self, features: Features, batch: Batch) -> Tensor:
        return self._seen.attack(features, batch)
