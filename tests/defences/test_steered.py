"""What the prior explains of a release moves, and nothing else."""

from dataclasses import replace

import pytest
import torch

from facecrafter.defences.base import Offline
from facecrafter.defences.plain import Plain
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.steered import Steered
from facecrafter.errors import SettingError
from facecrafter.randomness import child, normal, stream
from facecrafter.types import Features
from linear_networks import ExactSearch, Network, linear_network, photographs

IMAGES = 4


def released(recipe: Steered, offline: Offline, images: torch.Tensor) -> Features:
    protector = recipe.fit(offline, stream(0, "fit"))
    return protector(images, stream(0, "defence")).in_order_of_images()


def steered(network: Network, weight: float, choice: int = 50) -> Steered:
    return Steered(Plain(), weight, choice, ExactSearch(network))


def plain_parts(network: Network) -> tuple[Features, Features]:
    """Enc(X) and what the prior explains of it, by formula."""
    raw = network.enc(photographs(IMAGES))
    return raw, network.enc(network.prior(network.best(raw)))


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_the_move_is_the_weighted_way_to_a_nearest_average_face(weight: float) -> None:
    network = linear_network()
    raw, explained = plain_parts(network)
    moved = released(steered(network, weight), network.offline(), photographs(IMAGES)) - raw
    rng = child(stream(0, "defence"), "protect")
    torch.rand((), generator=rng)  # as the inner defence's call advances it
    rng = child(rng, "steered")
    size = network.offline().prior.latent_dim
    normal(IMAGES, size, rng=rng, like=raw)  # the start of the search
    average = network.enc(network.prior(normal(50, size, rng=rng, like=raw)))
    nearest = torch.cdist(explained.flatten(1), average.flatten(1)).argmin(dim=1)
    torch.testing.assert_close(moved, weight * (average[nearest] - explained))


def test_what_no_search_of_the_prior_sees_stays() -> None:
    network = linear_network()
    raw, explained = plain_parts(network)
    features = released(steered(network, 1.0), network.offline(), photographs(IMAGES))
    seen = network.enc(network.prior(network.best(features)))
    torch.testing.assert_close(features - seen, raw - explained)
    assert (seen - explained).abs().max() > 0.1


def test_weight_0_changes_nothing() -> None:
    network = linear_network()
    features = released(steered(network, 0.0), network.offline(), photographs(IMAGES))
    torch.testing.assert_close(features, plain_parts(network)[0])


def test_more_to_choose_from_moves_less() -> None:
    network = linear_network()
    raw, _ = plain_parts(network)
    few, many = (
        (released(steered(network, 1.0, choice), network.offline(), photographs(IMAGES)) - raw)
        for choice in (1, 300)
    )
    assert many.norm() < 0.9 * few.norm()


def test_the_order_of_a_shuffled_release_is_kept() -> None:
    network = linear_network()
    offline, images = network.offline(), photographs(IMAGES)
    inside = replace(steered(network, 0.4), defence=Shuffled(Plain()))
    again = inside.fit(offline, stream(0, "fit"))(images, stream(0, "defence"))
    assert again.order.sort().values.tolist() == list(range(IMAGES))
    raw, explained = plain_parts(network)
    now = again.in_order_of_images()
    assert ((now - raw).flatten(1).norm(dim=1) > 0.01).all()
    # what the prior does not explain of a face is not moved, and each face has its own
    left = now - network.enc(network.prior(network.best(now)))
    torch.testing.assert_close(left, raw - explained)
    assert not torch.allclose(left, left.roll(1, 0), atol=0.01)
    seen = network.enc(network.prior(network.best(again.in_order_of_images())))
    torch.testing.assert_close(
        again.in_order_of_images() - seen, plain_parts(network)[0] - explained
    )


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"weight": -0.1}, {"weight": float("nan")}, {"choice": 0}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            Steered(Plain(), **wrong)
