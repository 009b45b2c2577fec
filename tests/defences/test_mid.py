"""The divergence that MID penalises."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from facecrafter.defences.mid import MID, divergence
from facecrafter.defences.noisy import UNIT
from penalised import batch_of, small_target


@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.5])
def test_it_is_that_of_two_normal_distributions(deviation):
    mean = torch.linspace(-2, 3, 40).reshape(2, 5, 2, 2)
    wanted = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(divergence(mean, deviation), wanted)


def test_a_channel_that_carries_nothing_costs_nothing():
    assert divergence(torch.zeros(2, 3, 4, 4), 1.0) == 0


def test_the_penalty_is_of_the_feature_before_the_noise(faces):
    batch = batch_of(faces)
    players = MID(width=24, deviation=0.5).players(small_target(), faces)
    raw = players.target.encode(batch.images)
    found = players.privacy(players.release(batch.images), batch)
    torch.testing.assert_close(found, divergence(raw, 0.5) / UNIT)
