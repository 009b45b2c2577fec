"""The exact formula of blending."""

from itertools import permutations

import pytest
import torch

from facecrafter.defences.blend import POOL, Blend, nearest
from facecrafter.errors import SettingError
from facecrafter.randomness import child, stream
from facecrafter.types import Features
from linear_networks import Network, drawn_by, linear_network, photographs

IMAGES = 4


def release(recipe: Blend, network: Network) -> Features:
    protector = recipe.fit(network.offline(), stream(0, "fit"))
    return protector(photographs(IMAGES), stream(0, "defence")).features


def average(network: Network) -> Features:
    """Enc(G(z)) of the latent vectors that the defence draws; in float32, as it draws them."""
    rng = child(drawn_by(stream(0, "defence")), "blend")
    latents = torch.randn(IMAGES, network.latent_dim, generator=rng).double()
    return network.enc(network.prior(latents))


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_random_partner_is_a_straight_line_to_the_average_face(weight: float) -> None:
    network = linear_network()
    raw = network.enc(photographs(IMAGES))
    expected = (1 - weight) * raw + weight * average(network)
    torch.testing.assert_close(release(Blend(weight, "random"), network), expected)


def cost(raw: Features, others: Features) -> float:
    """Sum of the distances between cells of 4 x 4 averaged, pair by pair."""
    cells = (raw - others).unflatten(3, (-1, POOL)).unflatten(2, (-1, POOL)).mean(dim=(3, 5))
    return cells.flatten(1).norm(dim=1).sum().item()


def test_nearest_partner_is_dealt_out_with_the_least_sum_of_distances() -> None:
    network = linear_network()
    raw, others = network.enc(photographs(IMAGES)), average(network)
    best = min(permutations(range(IMAGES)), key=lambda order: cost(raw, others[list(order)]))
    assert best != (0, 1, 2, 3)  # else it would pass without an assignment
    expected = 0.4 * raw + 0.6 * others[list(best)]
    torch.testing.assert_close(release(Blend(0.6), network), expected)


def test_nearest_finds_equal_features_in_any_order() -> None:
    raw = linear_network().enc(photographs(5))
    order = torch.tensor([3, 0, 4, 1, 2])
    assert nearest(raw, raw[order]).tolist() == torch.argsort(order).tolist()


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(SettingError, match="weight"):
        Blend(weight)
