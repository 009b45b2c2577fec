"""Each attack can attack: a defence is only as good as the attack that it withstood.

Painted faces of 32 pixels, an encoder of fresh weights, a prior of principal components. Each
attack must read the plain feature and break a planted weak defence; given the feature of another
person it must not find this one.
"""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import Offline
from facecrafter.defences.noise import Noise
from facecrafter.inversion import Descent, squared
from facecrafter.metrics.image import ssim
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.randomness import stream
from facecrafter.training.decoder import DecoderTraining
from facecrafter.types import Features, Images, Latents, Scores
from linear_networks import LinearPrior

SIZE, LATENT, PRIVATE = 32, 40, 8

_DECODERS = DecoderTraining(width=24, epochs=14, batch=32, rate=4e-3)

ATTACKS: tuple[AbstractAttack, ...] = (
    LatentSearch(Descent(80, 0.2), restarts=2),
    ShadowDecoder(1, _DECODERS),
    PixelSearch(ShadowDecoder(1, _DECODERS), Descent(60, 0.01), restarts=2),
)
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)


class Components(nn.Module):
    """z -> mean + sum of z_i times the i-th principal component, scaled to what faces show."""

    def __init__(self, faces: Images) -> None:
        super().__init__()
        self.mean = faces.mean(dim=0)
        _, values, components = torch.linalg.svd(
            (faces - self.mean).flatten(1), full_matrices=False
        )
        scales = values[:LATENT] / len(faces) ** 0.5
        self.components = scales[:, None] * components[:LATENT]

    def forward(self, latents: Latents) -> Images:
        return (self.mean + (latents @ self.components).view(-1, 3, SIZE, SIZE)).clamp(0, 1)


@cache
def public() -> Faces:
    return synthetic(0, people=60, photographs=4, size=SIZE)


@cache
def private() -> Images:
    """One photograph each of people whom no public face shows."""
    return synthetic(1, people=PRIVATE, photographs=1, size=SIZE).images()


@cache
def encoder() -> nn.Module:
    """12 x 16 x 16 numbers of 3 x 32 x 32, so it is lossy, but not by much."""
    torch.manual_seed(0)
    return frozen(
        nn.Sequential(
            nn.Conv2d(3, 16, 5, padding=2), nn.LeakyReLU(0.2), nn.Conv2d(16, 12, 4, 2, padding=1)
        )
    )


@cache
def prior() -> Prior:
    return LinearPrior(LATENT, Components(public().images()))


@cache
def decoder(epochs: int, seed: int = 0) -> nn.Module:
    """As `ShadowDecoder` trains them; trained once for all tests."""
    return replace(_DECODERS, epochs=epochs).fit(encoder(), public(), seed)


def view(*shadows: nn.Module) -> AttackerView:
    return AttackerView(encoder(), public(), encoder(), prior(), shadows=shadows)


def read(attack: AbstractAttack, features: Features) -> Images:
    return attack.fit(view(decoder(_DECODERS.epochs)), stream(0, "attack"))(features)


def plain() -> Features:
    with torch.no_grad():
        return encoder()(private())


def error(images: Images) -> Scores:
    """Mean square over the pixels of each photograph."""
    return squared(images - private()) / private()[0].numel()


def guesses() -> tuple[Scores, Scores]:
    """SSIM and error of who reads nothing: the mean of 32 average faces, for each photograph."""
    faces = prior()(torch.randn(32, LATENT, generator=stream(0, "guess")))
    pairs = [face.expand_as(private()) for face in faces]
    alike = torch.stack([ssim(pair, private()) for pair in pairs]).mean(dim=0)
    return alike, torch.stack([error(pair) for pair in pairs]).mean(dim=0)


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
        ShadowDecoder(training=_DECODERS),
        PixelSearch(ShadowDecoder(1, _DECODERS), Descent(5, 0.02), disturbance=0.02),
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
