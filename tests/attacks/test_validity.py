"""Each attack can attack: a defence is only as good as the attack that it withstood.

Each attack must read the plain feature of a painted face and break a planted weak defence; given
the feature of another person it must not find this one.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.attacks.where_sent import WhereSent
from facecrafter.defences.base import Offline
from facecrafter.defences.noise import Noise
from facecrafter.inversion import Descent, squared
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from painted import DECODERS, decoder, encoder, error, guesses, plain, prior, private, view

ATTACKS: tuple[AbstractAttack, ...] = (
    LatentSearch(Descent(80, 0.2), restarts=2),
    WhereSent(LatentSearch(Descent(80, 0.2), restarts=2)),
    ShadowDecoder(1, DECODERS),
    PixelSearch(ShadowDecoder(1, DECODERS), Descent(60, 0.01), restarts=2),
)
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)


def read(attack: AbstractAttack, features: Features) -> Images:
    return attack.fit(view(decoder(DECODERS.epochs)), stream(0, "attack"))(features)


def assert_read(images: Images) -> None:
    """Much better than a guess, in both measures."""
    alike, guess = guesses()
    assert (error(images) < 0.25 * guess).all()
    assert (ssim(images, private()) > alike + 0.15).all()
    assert ssim(images, private()).mean() > alike.mean() + 0.3


@every_attack
def test_reads_the_plain_feature(attack: AbstractAttack) -> None:
    assert_read(read(attack, plain()))


@every_attack
def test_breaks_weak_noise(attack: AbstractAttack) -> None:
    """The planted defence is fitted and called as any other."""
    protector = Noise(0.01).fit(Offline(encoder(), prior()), stream(0, "fit"))
    assert_read(read(attack, protector(private(), stream(0, "defence")).features))


@every_attack
def test_breaks_a_constant_shift(attack: AbstractAttack) -> None:
    assert_read(read(attack, plain() + 0.01))


@every_attack
def test_does_not_read_from_the_feature_of_another_person(attack: AbstractAttack) -> None:
    """Else it would not be the feature that it reads."""
    images = read(attack, plain().roll(1, dims=0))
    alike, guess = guesses()
    assert (error(images) > 0.25 * guess).all()
    assert ssim(images, private()).mean() < alike.mean() + 0.15
    assert error(images).mean() > 4 * error(images.roll(-1, dims=0)).mean()


@every_attack
def test_does_not_read_from_a_feature_of_noise(attack: AbstractAttack) -> None:
    protector = Noise(10.0).fit(Offline(encoder(), prior()), stream(0, "fit"))
    images = read(attack, protector(private(), stream(0, "defence")).features)
    alike, guess = guesses()
    assert error(images).mean() > 0.5 * guess.mean()
    assert ssim(images, private()).mean() < alike.mean() + 0.15


def own_loss(images: Images, features: Features) -> Tensor:
    """What the attacker can measure by itself."""
    with torch.no_grad():
        return squared(encoder()(images) - features)


@pytest.mark.parametrize(
    "attack",
    [
        LatentSearch(Descent(12, 0.2), heat=None),
        ShadowDecoder(training=DECODERS),
        PixelSearch(ShadowDecoder(1, DECODERS), Descent(5, 0.02), disturbance=0.02),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_more_restarts_never_make_the_attackers_own_loss_worse(
    attack: LatentSearch | ShadowDecoder | PixelSearch,
) -> None:
    losses = []
    shadows = [decoder(2, seed) for seed in range(3)]
    for restarts in (1, 2, 3):
        inverter = replace(attack, restarts=restarts).fit(view(*shadows), stream(0, "attack"))
        losses.append(own_loss(inverter(plain()), plain()))
    for fewer, more in ((0, 1), (1, 2)):
        assert (losses[more] <= losses[fewer] * (1 + 1e-4)).all()
    if not isinstance(attack, PixelSearch):  # its first start may be the best for all
        assert (losses[2] < losses[0]).any()
