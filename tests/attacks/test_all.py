"""What every attack promises, whichever it is."""

import pytest
import torch

from facecrafter.attacks.base import AbstractAttack
from facecrafter.randomness import stream
from helpers import ATTACKS, random_images, tiny_target, tiny_view

every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=repr)


def invert(attack: AbstractAttack, features: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return attack.fit(tiny_view(), stream(seed, "attack"))(features)


@every_attack
def test_gives_one_image_for_each_feature(attack: AbstractAttack) -> None:
    with torch.no_grad():
        features = tiny_target().encode(random_images())
    images = invert(attack, features)
    assert images.shape == (4, 3, 64, 64)
    assert (images >= 0).all()
    assert (images <= 1).all()
    assert not images.requires_grad


@every_attack
def test_same_seed_gives_the_same_images(attack: AbstractAttack) -> None:
    with torch.no_grad():
        features = tiny_target().encode(random_images())
    assert torch.equal(invert(attack, features), invert(attack, features))
