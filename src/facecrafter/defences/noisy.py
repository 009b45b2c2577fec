"""Games whose features leave the device with Gaussian noise: a channel of fixed deviation.

What such a game trains is of use only behind the noise that it was trained with, so `fit` adds it.
"""

from dataclasses import dataclass

import torch
from torch import Generator

from facecrafter.data.faces import Faces
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.defences.base import AbstractProtector, Offline
from facecrafter.defences.game import AbstractGame
from facecrafter.defences.noise import Noise
from facecrafter.defences.watched import AbstractWatched
from facecrafter.models.decoder import Decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.randomness import normal
from facecrafter.training.settings import require_counts, require_positive
from facecrafter.types import Features, Images

# Nats of a penalty that weigh as much as one of cross-entropy; ours: so, lambdas that f can bear
# are spread over 0 to 1, where nat for nat they would lie below 0.3.
UNIT = 10.0


class Noisy(AbstractWatched):
    """Enc and f with noise between them."""

    def __init__(self, target: AbstractSplitModel, decoder: Decoder, deviation: float) -> None:
        super().__init__(target, decoder)
        self.deviation = deviation
        self._last = torch.zeros(0), torch.zeros(0)

    def release(self, images: Images) -> Features:
        raw = self.target.encode(images).float()
        # torch's own generator, seeded anew for each step: a game that was killed goes on the same
        noise = normal(*raw.shape, rng=torch.default_generator, like=raw)
        self._last = raw + self.deviation * noise, raw
        return self._last[0]

    def without_noise(self, features: Features) -> Features:
        """What `release` added noise to when it gave these, the last ones; slopes pass."""
        released, raw = self._last
        assert released is features, "features of another release"
        return raw


@dataclass(frozen=True)
class AbstractNoisyGame(AbstractGame[Noisy]):
    """A game of `Noisy` players; its protector adds noise of the same deviation."""

    deviation: float = 1.0  # of the noise; features of the bundle's Enc have 1.3; ours
    width: int = 64  # of the decoder; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "deviation")
        require_counts(self, "width")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        super().fit(offline, rng)  # refuses another Enc
        return Noise(self.deviation).fit(offline, rng)


def fresh_decoder(target: AbstractSplitModel, faces: Faces, width: int) -> Decoder:
    """That of Adv Learning."""
    return AdversarialLearning(width=width).players(target, faces).decoder
