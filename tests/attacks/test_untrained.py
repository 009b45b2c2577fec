"""Attacks without a decoder and without a trained prior: rMLE and the deep image prior."""

from dataclasses import replace

import pytest
import torch

from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.deep_image_prior import DeepImagePrior
from facecrafter.attacks.rmle import Rmle, variation
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from painted import SIZE, error, guesses, plain, private, view

RMLE = Rmle(0.02, Descent(150, 0.03), SIZE)
DEEP = DeepImagePrior(Descent(150, 0.02), 12, 2, SIZE, 4)
BOTH = pytest.mark.parametrize("attack", [RMLE, DEEP], ids=lambda a: type(a).__name__)


def read(attack: AbstractAttack, features: torch.Tensor) -> torch.Tensor:
    blind = replace(view(), prior=None, public=None)
    return attack.fit(blind, stream(0, "attack"))(features)


@BOTH
def test_reads_the_plain_feature_and_not_another(attack: AbstractAttack) -> None:
    images = read(attack, plain())
    alike, blind = guesses()
    assert images.shape == private().shape
    assert ((images >= 0) & (images <= 1)).all()
    assert error(images).mean() < 0.4 * blind.mean()
    assert ssim(images, private()).mean() > alike.mean() + 0.1
    other = read(attack, plain().roll(1, dims=0))
    assert error(other).mean() > 2 * error(images).mean()


@BOTH
def test_same_seed_gives_the_same(attack: AbstractAttack) -> None:
    short = replace(attack, search=Descent(3, 0.02))  # type: ignore[call-arg]
    assert torch.equal(read(short, plain()), read(short, plain()))


def test_smoothness_is_what_its_weight_buys() -> None:
    rough, smooth = (
        variation(read(replace(RMLE, weight=weight), plain())).mean() for weight in (0.0, 0.3)
    )
    assert smooth < 0.8 * rough
    flat = torch.full((1, 3, 5, 5), 0.3)
    assert variation(flat).max() < 2e-3
    step = torch.cat([torch.zeros(1, 3, 5, 2), torch.ones(1, 3, 5, 3)], dim=3)
    assert variation(step)[0, 0].tolist() == pytest.approx([0, 3**0.5, 0, 0], abs=2e-3)


def test_what_is_missing_is_named() -> None:
    for attack in (RMLE, DEEP):
        with pytest.raises(SettingError, match="needs the encoder"):
            attack.fit(replace(view(), encoder=None), stream(0, "a"))
    with pytest.raises(SettingError, match="weight=-1"):
        Rmle(-1)
    with pytest.raises(SettingError, match="size=4 of DeepImagePrior"):
        DeepImagePrior(size=4)
