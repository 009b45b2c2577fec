"""A3: asking again and averaging, with and without finding out who is who."""

from dataclasses import replace

import pytest
import torch

from facecrafter.attacks.averaged import Averaged, matched
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.defences.noise import Noise
from facecrafter.defences.remembered import Remembered
from facecrafter.defences.shuffled import Shuffled
from facecrafter.errors import DataError, SettingError
from facecrafter.inversion import Descent
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from painted import decoder, encoder, error, plain, prior, private, view

NOISE, LITTLE = Noise(0.6), Noise(0.02)  # little: people differ by more
ATTACK = Averaged(LatentSearch(Descent(60, 0.2), None, 1))


def releases(defence: AbstractDefence, count: int = 5) -> list[Features]:
    """The first in the order of the photographs, as whoever judges knows it; others as sent."""
    protector, rng = defence.fit(Offline(encoder(), prior()), stream(0, "fit")), stream(0, "rng")
    sent = [protector(private(), rng) for _ in range(count)]
    return [sent[0].in_order_of_images(), *(one.features for one in sent[1:])]


def off(features: Features) -> float:
    return (features - plain()).square().mean().item()


def read(attack: Averaged, defence: AbstractDefence) -> Images:
    return attack.fit(view(decoder(14)), stream(0, "attack"))(attack.mean(releases(defence)))


def test_averages_noise_away() -> None:
    sent = releases(NOISE)
    assert off(ATTACK.mean(sent)) == pytest.approx(off(sent[0]) / 5, rel=0.05)
    one = ATTACK.attack.fit(view(), stream(0, "attack"))(sent[0])
    several = read(ATTACK, NOISE)
    assert error(several).mean() < 0.8 * error(one).mean()
    assert ssim(several, private()).mean() > ssim(one, private()).mean() + 0.02


def test_shuffling_mixes_people_in_the_mean() -> None:
    shuffled, straight = Shuffled(LITTLE), LITTLE
    assert off(ATTACK.mean(releases(shuffled))) > 2 * off(ATTACK.mean(releases(straight)))
    assert error(read(ATTACK, shuffled)).mean() > 2 * error(read(ATTACK, straight)).mean()


def test_matching_undoes_the_shuffle() -> None:
    matching = replace(ATTACK, match=True)
    for noise in (LITTLE, NOISE):
        undone, straight = matching.mean(releases(Shuffled(noise))), ATTACK.mean(releases(noise))
        assert off(undone) == pytest.approx(off(straight), rel=0.05)
    people = torch.randperm(len(private()), generator=stream(3, "people"))
    assert torch.equal(matched(plain()[people], plain()), people)


def test_what_is_remembered_is_its_own_mean() -> None:
    sent = releases(Remembered(NOISE))
    assert torch.allclose(ATTACK.mean(sent), sent[0], atol=1e-6)
    sent = releases(Shuffled(Remembered(NOISE)))
    assert torch.allclose(replace(ATTACK, match=True).mean(sent), sent[0], atol=1e-6)


def test_one_release_is_attacked_as_it_is() -> None:
    reading = Averaged(ShadowDecoder(1))
    made = reading.fit(view(decoder(14)), stream(0, "attack"))(plain())
    assert torch.equal(made, decoder(14)(plain()))


def test_wrong_settings_and_releases_are_named() -> None:
    with pytest.raises(SettingError, match="queries=1 of Averaged"):
        Averaged(queries=1)
    with pytest.raises(DataError, match="give those of one batch"):
        ATTACK.mean([plain(), plain()[:3]])
