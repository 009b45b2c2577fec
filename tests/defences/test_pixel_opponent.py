"""PixelOpponent: its best response is known, so each step can be told by formula."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from facecrafter.defences import opponents
from facecrafter.defences.crafter import Crafter, Crafting
from facecrafter.defences.opponents import PixelOpponent
from helpers import random_images, tiny_offline
from linear_networks import (
    Fixed,
    crafted,
    linear_network,
    photographs,
    steps_of,
    targets,
)

IMAGES = 4


def losses_of(steps: list[Crafting], beta: float) -> list[float]:
    """Sum over images of L_p + beta L_u at the start of each step."""
    before = [torch.zeros_like(steps[0].utility), *(step.utility for step in steps[:-1])]
    return [
        (step.privacy + beta * utility).sum().item()
        for step, utility in zip(steps, before, strict=True)
    ]


@pytest.mark.parametrize("beta", [0.0, 0.01, 1.0])
def test_pixel_opponent_lowers_the_objective(beta: float) -> None:
    network, images = linear_network(), photographs(IMAGES)
    recipe = Crafter(beta, 40, PixelOpponent(0.01))
    losses = losses_of(list(steps_of(recipe, network.offline(), images)), beta)
    # Where F = Enc(X) is nearly best already (beta = 1), the first step can only lose a little.
    assert losses[-1] < (0.7 if beta < 1 else 1.0) * losses[0]
    rises = [later - earlier for earlier, later in pairwise(losses) if later > earlier]
    assert sum(rises) < 0.1 * losses[0]


def test_pixel_opponent_releases_the_feature_of_an_image() -> None:
    """F = Enc(x) with x in 0 to 1, also where the descent pushes out of it."""
    network = linear_network()
    outside = Fixed(torch.where(photographs(IMAGES, seed=5) < 0.5, -3.0, 4.0).double())
    features = crafted(Crafter(0.0, 60, PixelOpponent(0.05), outside), network.offline())
    flat = features.flatten(1) - network.enc.shift
    pixels = torch.linalg.solve(network.enc.matrix, flat.T).T
    assert pixels.min() > -1e-9
    assert pixels.max() < 1 + 1e-9
    assert pixels.min() < 1e-6  # it did push
    assert pixels.max() > 1 - 1e-6


def test_pixel_opponent_follows_the_gradient_of_the_objective() -> None:
    """One step is rate x sign of dL_p/dx + beta dL_u/dx; at the start L_u has no gradient."""
    network, images = linear_network(), photographs(IMAGES).clamp(0.1, 0.9)
    recipe = Crafter(0.3, 1, PixelOpponent(0.01), Fixed(targets(network)))
    slope = 2 * (images - targets(network)) / images[0].numel()
    expected = network.enc(images - 0.01 * slope / (slope.abs() + 1e-8))
    torch.testing.assert_close(crafted(recipe, network.offline(), images), expected)


def test_pixel_opponent_balances_privacy_against_beta_times_utility() -> None:
    """At the end (I + beta A'A) x = target + beta A'A X: the minimum of a quadratic."""
    network, images, beta = linear_network(), photographs(IMAGES) * 0.2 + 0.4, 0.5
    near = Fixed(photographs(IMAGES, seed=9) * 0.2 + 0.4)  # far from 0 and 1: no clamping
    features = crafted(Crafter(beta, 400, PixelOpponent(0.01), near), network.offline(), images)
    gram = network.enc.matrix.T @ network.enc.matrix
    system = torch.eye(len(gram), dtype=torch.float64) + beta * gram
    wanted = near.targets.flatten(1) + beta * images.flatten(1) @ gram
    pixels = torch.linalg.solve(system, wanted.T).T.view_as(images)
    torch.testing.assert_close(features, network.enc(pixels), rtol=0, atol=2e-3)


def test_a_batch_in_pieces_is_crafted_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are for the caches: average faces are still dealt out over the whole batch."""
    network, images = linear_network(), photographs(5)
    whole = crafted(Crafter(0.01, 10), network.offline(), images)
    passed: list[int] = []

    def encode(some: torch.Tensor) -> torch.Tensor:
        passed.append(len(some))
        return network.enc(some)

    monkeypatch.setattr(opponents, "PIECE", 2)
    pieces = crafted(Crafter(0.01, 10), replace(network.offline(), encode=encode), images)
    torch.testing.assert_close(pieces, whole)
    assert passed == [2, 2, 1] * 12


def test_mixed_precision_crafts_nearly_but_not_quite_the_same() -> None:
    images, offline = random_images(), tiny_offline()
    exactly, mixed = (
        crafted(Crafter(0.01, 10, PixelOpponent(0.01, bfloat16)), offline, images)
        for bfloat16 in (False, True)
    )
    moved = (exactly - offline.encode(images)).norm()
    assert 0 < (mixed - exactly).norm() < 0.2 * moved
