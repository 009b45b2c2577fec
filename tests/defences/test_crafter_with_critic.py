"""Crafter with a critic: the authors' settings, and a critic that was trained beforehand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.privacy import CriticDistance
from facecrafter.errors import DataError, SettingError
from facecrafter.implicit import Neumann, published_scale
from facecrafter.inversion import Momentum
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from linear_networks import (
    Linear,
    LinearAmortiser,
    LinearCritic,
    LinearPrior,
    linear_network,
    photographs,
)

IMAGES = 4


def crafted(recipe: Crafter, offline: Offline, images: Images | None = None) -> Features:
    """Released features, in the order of the images."""
    images = photographs(IMAGES) if images is None else images
    protector = recipe.fit(offline, stream(0, "fit"))
    return protector(images, stream(0, "defence")).in_order_of_images()


def test_as_published_carries_the_authors_numbers() -> None:
    """The authors' code; each written out, so that a changed default is noticed."""
    recipe = Crafter.as_published()
    assert (recipe.beta, recipe.steps) == (1.0, 450)
    opponent = recipe.opponent
    assert isinstance(opponent, LatentOpponent)
    assert (opponent.rate, opponent.start) == (0.01, "amortiser")
    assert opponent.solver == Neumann(terms=120, alpha=0.001)
    search = Momentum(steps=80, rate=5e-3, momentum=0.9, scale=100.0)
    assert opponent.begin_with == opponent.follow == search
    assert opponent.scale == 2000 / (128 * 64 * 16 * 16)
    assert recipe.distance == CriticDistance(
        steps=10, minibatch=32, rate=5e-4, penalty=20.0, steep=40.0, width=64, trained=False
    )


def test_as_published_takes_beta_and_the_size_of_a_feature() -> None:
    recipe = Crafter.as_published(0.5, 128 * 16 * 16)
    assert isinstance(recipe.opponent, LatentOpponent)
    assert recipe.beta == 0.5
    assert recipe.opponent.scale == published_scale(128, 128 * 16 * 16) == 2000 / 2**22


class _Enlarged(nn.Module):
    """z -> a smooth face of 64 pixels; and a face back to a feature of 3 x 16 x 16."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, latents: Tensor) -> Tensor:
        small = (latents @ self.matrix).view(-1, 3, 8, 8)
        return (0.5 + nn.functional.interpolate(small, size=64)).clamp(0, 1)


def large_offline() -> Offline:
    """As large as the critic of Table XI wants it, but cheap."""
    matrix = 0.1 * torch.randn(5, 3 * 8 * 8, generator=stream(0, "enlarged"))
    amortiser = Linear(
        torch.randn(5, 3 * 16 * 16, generator=stream(1, "amortiser")) / 30, torch.zeros(5), (5,)
    )
    return Offline(nn.AvgPool2d(4), LinearPrior(5, _Enlarged(matrix)), LinearAmortiser(amortiser))


def large_photographs(count: int = IMAGES) -> Images:
    return photographs(count * 64).float().view(count, 3, 64, 64)


def published_briefly() -> Crafter:
    recipe = Crafter.as_published(1.0, 3 * 16 * 16)
    return replace(recipe, steps=2, distance=replace(recipe.distance, width=8))


def test_as_published_crafts() -> None:
    offline, images = large_offline(), large_photographs()
    features = crafted(published_briefly(), offline, images)
    moved = (features - offline.encode(images)).abs()
    assert moved.max() <= 0.0201  # two steps of Adam at rate 0.01, each up to 1.0013 of it
    assert (moved.flatten(1).max(dim=1).values > 0.015).all()


def test_as_published_needs_an_amortiser() -> None:
    offline = replace(large_offline(), amortiser=None)
    with pytest.raises(SettingError, match="amortiser"):
        crafted(published_briefly(), offline, large_photographs())


def test_a_batch_of_one_is_too_small_for_a_critic() -> None:
    with pytest.raises(DataError, match="too small for a critic"):
        crafted(published_briefly(), large_offline(), large_photographs(1))


def test_a_trained_critic_has_to_be_there() -> None:
    recipe = Crafter(steps=1, distance=CriticDistance(trained=True))
    with pytest.raises(SettingError, match="trained=True"):
        crafted(recipe, linear_network().offline())


def test_a_trained_critic_is_used_and_left_as_it_is() -> None:
    offline, critic = linear_network().offline(), LinearCritic(3 * 8 * 8)
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    offline = replace(offline, critic=critic.requires_grad_(False))
    recipe = Crafter(steps=3, distance=CriticDistance(steps=2, minibatch=2, trained=True))
    one = crafted(recipe, offline)
    assert all(torch.equal(before[name], value) for name, value in critic.state_dict().items())
    for value in critic.parameters():
        value.mul_(-1)
    assert not torch.equal(crafted(recipe, offline), one)
