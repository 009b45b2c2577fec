"""CEM's mixture of features, and what it bounds."""

from math import log

import pytest
import torch

from facecrafter.defences.cem import CEM, Mixture
from facecrafter.defences.noisy import UNIT
from facecrafter.errors import SettingError
from facecrafter.randomness import normal, stream
from penalised import batch_of, small_target

CENTRES = torch.tensor([[9.0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0]])
SPREADS = torch.tensor([0.2, 0.5, 1.0])


def rows_of(step: int, count: int = 60) -> torch.Tensor:
    """Of three clusters, in turn."""
    of = torch.arange(count) % 3
    noise = normal(count, 4, rng=stream(0, "rows", step), like=CENTRES)
    return CENTRES[of] + SPREADS[of, None] * noise


def learnt(steps: int = 200) -> Mixture:
    mixture = Mixture(3, 4)
    for step in range(steps):
        mixture(rows_of(step))
    return mixture


def test_it_finds_clusters_and_how_far_they_spread():
    mixture = learnt().eval()
    centres = mixture.sums / mixture.shares[:, None]
    torch.testing.assert_close(centres, CENTRES, atol=0.15, rtol=0)
    shares, variances = mixture(rows_of(0))
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3))
    torch.testing.assert_close(variances, SPREADS**2, rtol=0.15, atol=0)


def test_evaluating_learns_nothing():
    mixture = learnt(5).eval()
    before = {name: value.clone() for name, value in mixture.state_dict().items()}
    mixture(rows_of(9))
    assert all(torch.equal(value, before[name]) for name, value in mixture.state_dict().items())


def test_slopes_are_those_of_the_members_variance():
    mixture, rows = learnt(50).eval(), rows_of(99).requires_grad_()
    centres = mixture.sums / mixture.shares[:, None]
    (slope,) = torch.autograd.grad(mixture(rows)[1][1], rows)
    member = torch.arange(60) % 3 == 1
    wanted = 2 * (rows.detach() - centres[1]) / rows.shape[1] / member.sum()
    torch.testing.assert_close(slope[member], wanted[member])
    assert (slope[~member] == 0).all()


def test_a_component_that_features_left_is_begun_anew():
    mixture = learnt(30)
    for step in range(300):  # as where Enc shrinks what it gives
        mixture(rows_of(step) * 0.3)
    centres = mixture.sums / mixture.shares[:, None]
    torch.testing.assert_close(centres, CENTRES * 0.3, atol=0.3, rtol=0)
    for step in range(400):  # a cluster goes away
        mixture(rows_of(step)[torch.arange(60) % 3 != 0])
    assert mixture.shares.min() > 0.01
    assert mixture.shares.sum().item() == pytest.approx(1, abs=1e-4)
    assert all(value.isfinite().all() for value in mixture.state_dict().values())


def test_one_component_gives_what_a_normal_channel_carries(faces):
    """log(1 + signal / noise) / 2, by hand, of a batch about its mean."""
    players = CEM(width=24, components=1, deviation=0.5, enough=0.0).players(small_target(), faces)
    batch = batch_of(faces)
    raw = players.target.encode(batch.images).flatten(1)
    players.mixture.shares.fill_(1.0)
    players.mixture.sums.copy_(raw.mean(dim=0, keepdim=True))
    variance = raw.var(dim=0, correction=0).mean()
    players.mixture.spreads.fill_(variance)
    players.mixture.eval()
    found = players.privacy(players.release(batch.images), batch)
    torch.testing.assert_close(found, (1 + variance / 0.25).log() / 2 / UNIT)


def test_less_than_enough_costs_nothing(faces):
    game = CEM(width=24, components=1, enough=1e6)
    players, batch = game.players(small_target(), faces), batch_of(faces)
    assert players.privacy(players.release(batch.images), batch) == 0


def test_more_noise_tells_less_of_the_same_features(faces):
    found = list[float]()
    for deviation in (0.1, 1.0):
        game = CEM(width=24, components=2, deviation=deviation, enough=0.0)
        players, batch = game.players(small_target(), faces), batch_of(faces)
        found.append(players.privacy(players.release(batch.images), batch).item())
    assert found[1] < 0.5 * found[0]
    assert found[0] * UNIT < log(1e6)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"components": 0}, "components=0"),
        ({"components": 33}, "components=33 of CEM: the first batch"),
        ({"enough": -0.1}, "enough="),
        ({"enough": float("nan")}, "enough="),
    ],
)
def test_settings_out_of_range_are_named(given, name):
    with pytest.raises(SettingError, match=name):
        CEM(**given)
