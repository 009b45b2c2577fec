"""Tables of recipes and tiny networks that the tests share."""

from functools import cache

import torch

from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.defences.blend import Blend
from facecrafter.defences.channel_pruning import ChannelPruning
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.crafter_z import CrafterZ
from facecrafter.defences.dropout import Dropout
from facecrafter.defences.fisher_noise import FisherNoise
from facecrafter.defences.mended import Mended
from facecrafter.defences.noise import Noise
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.privacy import CriticDistance
from facecrafter.defences.remembered import Remembered
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.steered import Steered
from facecrafter.defences.top_k import TopK
from facecrafter.defences.utility import TaskUtility
from facecrafter.implicit import Lanczos
from facecrafter.inversion import Descent
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.decoder import Decoder
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import stream

SIZE = 64  # the critic of Table XI needs it

_SHORT = Descent(3, 0.1)
_QUICK_CRITIC = CriticDistance(steps=1, minibatch=2, width=4)

DEFENCES: tuple[AbstractDefence, ...] = (
    Plain(),
    Noise(0.5),
    Dropout(0.3),
    TopK(0.3),
    ChannelPruning(0.3),
    FisherNoise(0.3, probes=2),
    Blend(0.5),
    Blend(0.5, "random"),
    Crafter(steps=2),
    Crafter(steps=2, opponent=LatentOpponent(begin_with=_SHORT, follow=_SHORT)),
    Crafter(steps=2, utility=TaskUtility()),
    Crafter(
        steps=2,
        opponent=LatentOpponent(
            begin_with=_SHORT, follow=_SHORT, start="amortiser", solver=Lanczos(3, 20, 0.001)
        ),
        distance=_QUICK_CRITIC,
    ),
    CrafterZ(steps=2, begin=_SHORT, distance=_QUICK_CRITIC),
    Shuffled(Noise(0.5)),
    Steered(Noise(0.5), choice=3, search=_SHORT),
    Mended(Noise(0.5), steps=2, search=_SHORT),
    Remembered(Noise(0.5)),
    StandIn(search=_SHORT),
)

ATTACKS: tuple[AbstractAttack, ...] = (
    LatentSearch(_SHORT, restarts=2),
    ShadowDecoder(restarts=2),
    PixelSearch(ShadowDecoder(restarts=1), Descent(3, 0.01), restarts=2),
)


@cache
def tiny_target(seed: int = 1) -> ResNet:
    """A ResNet-18 of width 8 with fresh weights: features are 8 x 16 x 16."""
    torch.manual_seed(seed)
    return frozen(ResNet(5, 18, (8, 8, 8, 8)))


@cache
def tiny_prior() -> Prior:
    """G1 of width 2 with 6 latent dimensions."""
    torch.manual_seed(2)
    return frozen(Prior(6, 2, SIZE))


def tiny_offline() -> Offline:
    """What a trusted party would hand out, untrained."""
    torch.manual_seed(3)
    amortiser = frozen(Amortiser(8, 6, 4))
    surrogate = frozen(Surrogate(8, 5, (4, 4)))
    return Offline(tiny_target().encode, tiny_prior(), amortiser, frozen(Critic(2)), surrogate)


def tiny_view() -> AttackerView:
    """A white-box attacker with two untrained shadow decoders."""
    torch.manual_seed(4)
    shadows = tuple(frozen(Decoder(8, 16, SIZE, 24)) for _ in range(2))
    encode = tiny_target().encode
    return AttackerView(encode, None, encode, tiny_prior(), shadows=shadows)


def random_images(count: int = 4, seed: int = 0) -> torch.Tensor:
    """Uniformly random pixels."""
    return torch.rand(count, 3, SIZE, SIZE, generator=stream(seed, "test images"))
