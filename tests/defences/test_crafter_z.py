"""Algorithm 3 on linear networks."""

from typing import Any

import pytest
import torch

from facecrafter.defences.crafter_z import CrafterZ
from facecrafter.errors import DataError, SettingError
from facecrafter.randomness import stream
from facecrafter.types import Features
from linear_networks import ExactSearch, Fixed, Network, linear_network, photographs, targets

IMAGES = 4


def release(network: Network, count: int = IMAGES, **settings: Any) -> Features:
    recipe = CrafterZ(
        begin=ExactSearch(network), **({"distance": Fixed(targets(network, count))} | settings)
    )
    protector = recipe.fit(network.offline(), stream(0, "fit"))
    return protector(photographs(count), stream(0, "defence")).features


def test_first_step_is_the_closed_form() -> None:
    """z* - rate sign(dL_p/dz + beta dL_u/dz); at z* the slope of L_u is 0."""
    network = linear_network()
    best = network.best(network.enc(photographs(IMAGES)))
    faces = network.prior(best)
    slope = 2 * (faces - targets(network)).flatten(1) @ network.prior.matrix / faces[0].numel()
    moved = best - 0.005 * slope / (slope.abs() + 1e-8)
    expected = network.enc(network.prior(moved))
    torch.testing.assert_close(release(network, steps=1), expected)


@pytest.mark.parametrize("beta", [0.0, 0.5, 20.0])
def test_converges_to_the_minimum_of_the_quadratic(beta: float) -> None:
    """(B'B + beta M'M) z = B'(target - b) + beta M'(Enc(X) - m), as both terms are means."""
    network = linear_network()
    raw = network.enc(photographs(IMAGES)).flatten(1)
    face, both = network.prior.matrix, network.matrix
    system = face.T @ face + beta * both.T @ both
    wanted = (targets(network).flatten(1) - network.prior.shift) @ face
    wanted = wanted + beta * (raw - network.shift) @ both
    best = torch.linalg.solve(system, wanted.T).T
    expected = network.enc(network.prior(best))
    found = release(network, beta=beta, steps=400, rate=0.03)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-3)


def test_releases_only_what_the_prior_can_draw() -> None:
    """Nothing of the photograph beyond its best response is left: the residual of F is 0."""
    network = linear_network()
    features = release(network, steps=5).flatten(1) - network.shift
    residual = features - features @ torch.linalg.pinv(network.matrix).T @ network.matrix.T
    assert residual.abs().max() < 1e-9


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    network = linear_network()
    alone = release(network, 1, steps=5, distance=Fixed(targets(network)[:1]))
    torch.testing.assert_close(alone, release(network, steps=5)[:1], rtol=1e-9, atol=1e-9)


def test_a_batch_of_one_is_too_small_for_the_default_critic() -> None:
    network = linear_network()
    with pytest.raises(DataError, match="too small for a critic"):
        release(network, 1, distance=CrafterZ().distance)


@pytest.mark.parametrize(
    "setting",
    [
        {"beta": -1.0},
        {"beta": float("inf")},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"steps": 0},
    ],
    ids=repr,
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        CrafterZ(**setting)
