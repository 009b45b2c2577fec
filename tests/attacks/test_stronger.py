"""A1, stronger than the paper's: a deep decoder from fresh weights, and a purifier."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.purified import Purified
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.attacks.unet import DeepDecoder, Purifier
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from facecrafter.training.continued import Continuation
from facecrafter.types import Features, Images
from painted import decoder, encoder, error, guesses, plain, private, public, view

TRAINING = Continuation(epochs=24, batch=32, rate=4e-3)
RETRAINED = Retrained(training=TRAINING, faces=240, rounds=1, width=24)
PURIFIED = Purified(ShadowDecoder(1), TRAINING, 240, 1, 24)
BOTH = pytest.mark.parametrize("attack", [RETRAINED, PURIFIED], ids=lambda a: type(a).__name__)


def elsewhere(images: Images) -> Features:
    """A weak defence: turns the map upside down, so what tells of an eye lies by the chin."""
    with torch.no_grad():
        return -encoder()(images).flip(2, 1)


def attacked(attack: AbstractAdaptive, protect: Callable[[Images], Features]) -> Images:
    able = replace(view(decoder(14)), protect=protect)
    return attack.fit(able, stream(0, "attack"))(protect(private()))


@BOTH
def test_breaks_what_hides_from_the_basic_decoder(attack: AbstractAdaptive) -> None:
    basic = ShadowDecoder(1).fit(view(decoder(14)), stream(0, "attack"))
    _, blind = guesses()
    assert error(basic(elsewhere(private()))).mean() > 0.8 * blind.mean()
    assert error(attacked(attack, elsewhere)).mean() < 0.4 * blind.mean()


@BOTH
def test_reads_the_plain_feature(attack: AbstractAdaptive) -> None:
    images = attacked(attack, lambda some: encoder()(some).detach())
    alike, blind = guesses()
    assert error(images).mean() < 0.3 * blind.mean()
    assert ssim(images, private()).mean() > alike.mean() + 0.15


@BOTH
def test_reads_nothing_where_nothing_was_released(attack: AbstractAdaptive) -> None:
    """Else it would not be the release that it reads."""
    images = attacked(attack, lambda some: encoder()(torch.zeros_like(some)).detach())
    _, blind = guesses()
    assert error(images).mean() > 0.5 * blind.mean()


def test_a_purifier_serves_any_attack() -> None:
    searching = replace(PURIFIED, attack=LatentSearch(Descent(40, 0.2), None, 1))
    _, blind = guesses()
    assert error(attacked(searching, elsewhere)).mean() < 0.5 * blind.mean()
    with pytest.raises(SettingError, match="no purifier in the view"):
        PURIFIED.itself.fit(view(), stream(0, "attack"))


def test_what_enc_sees_counts_where_it_is_asked_for() -> None:
    able = replace(view(decoder(14)), protect=elsewhere)
    short = replace(RETRAINED, training=replace(TRAINING, epochs=2))
    pairs = short.pairs(able, stream(0, "a"))

    def seen(attack: Retrained) -> float:
        *_, learnt = attack.legs(able, pairs, stream(0, "a"))
        made = attack.itself.fit(learnt, stream(0, "b"))(elsewhere(private()))
        return (encoder()(made) - plain()).square().mean().item()

    assert seen(replace(short, perceptual=1.0)) < seen(short)
    blind = replace(able, encoder=None)
    short.pairs(blind, stream(0, "a"))  # pixels alone need no Enc
    with pytest.raises(SettingError, match="needs the encoder"):
        replace(short, perceptual=1.0).pairs(blind, stream(0, "a"))


@BOTH
def test_same_seed_gives_the_same_and_leaves_nothing_to_learn(attack: AbstractAdaptive) -> None:
    able = replace(view(decoder(14)), protect=elsewhere)
    short = replace(attack, training=Continuation(1, batch=32), faces=64)  # type: ignore[call-arg]
    one, other = (short.fit(able, stream(0, "a"))(elsewhere(private())) for _ in range(2))
    assert torch.equal(one, other)
    *_, learnt = short.legs(able, short.pairs(able, stream(0, "a")), stream(0, "a"))
    assert learnt.public is None
    assert learnt.protect is None


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        (DeepDecoder(5, 8, 32, 16), (3, 5, 8, 8), (3, 3, 32, 32)),
        (Purifier(5, 16), (3, 5, 8, 8), (3, 5, 8, 8)),
    ],
    ids=["decoder", "purifier"],
)
def test_shapes_and_how_far_a_pixel_reaches(
    network: nn.Module, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    maps: Tensor = torch.rand(inside, generator=stream(0, "maps")).requires_grad_()
    made = network.eval()(maps)
    assert made.shape == outside
    made[0, 0, 0, 0].backward()
    assert maps.grad is not None
    assert (maps.grad[0, :, -1, -1] != 0).any()  # the far corner
    assert not maps.grad[1:].any()


def test_wrong_settings_are_named() -> None:
    with pytest.raises(SettingError, match="width=4 of Retrained"):
        replace(RETRAINED, width=4)
    with pytest.raises(SettingError, match="faces=0 of Purified"):
        replace(PURIFIED, faces=0)
    with pytest.raises(SettingError, match="perceptual=-1 of Retrained"):
        replace(RETRAINED, perceptual=-1)
    with pytest.raises(SettingError, match="give `protect` and `public`"):
        RETRAINED.fit(replace(view(), public=public()), stream(0, "a"))
