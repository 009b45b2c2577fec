"""Epsilon of Definition 2, against Python Optimal Transport and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.pii import distances, earth_movers_distance, epsilon_pii


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def emd_of_pot(one, other):
    import ot  # takes seconds to import

    x, y = one.flatten(1).numpy(), other.flatten(1).numpy()
    costs = np.sqrt(((x[:, None] - y[None]) ** 2).sum(axis=-1))
    return ot.emd2(ot.unif(len(x)), ot.unif(len(y)), costs)


@pytest.mark.parametrize("count", [1, 2, 50, 150])
def test_the_distance_equals_python_optimal_transport(count):
    one, other = uniform(count, 3, 4, 5, seed=1), uniform(count, 3, 4, 5, seed=2) ** 3
    expected = emd_of_pot(one, other)
    assert earth_movers_distance(one, other) == pytest.approx(expected, abs=1e-9)
    assert epsilon_pii(one, other) == pytest.approx(expected / 60, abs=1e-11)


def test_a_shift_of_all_images_costs_its_length():
    images = uniform(20, 3, 6, 7) / 2
    shift = uniform(3, 6, 7, seed=1) / 2
    other = (images + shift).flip(0)
    expected = shift.norm().item()
    assert earth_movers_distance(images, other) == pytest.approx(expected, rel=1e-12)
    assert epsilon_pii(images, other) == pytest.approx(expected / (3 * 6 * 7), rel=1e-12)


def test_black_against_white():
    epsilon = epsilon_pii(torch.zeros(5, 3, 8, 8), torch.ones(5, 3, 8, 8))
    assert epsilon == pytest.approx(1 / math.sqrt(3 * 8 * 8))


def test_on_a_line_sorted_points_meet():
    one, other = uniform(40, 1, seed=1), uniform(40, 1, seed=2)
    expected = (one.sort(dim=0).values - other.sort(dim=0).values).abs().mean().item()
    assert earth_movers_distance(one, other) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 1000))
def test_it_is_a_metric(count, size, seed):
    a, b, c = uniform(3, count, size, seed=seed)
    there = earth_movers_distance(a, b)
    assert there > 0
    assert earth_movers_distance(b, a) == pytest.approx(there, rel=1e-12)
    assert earth_movers_distance(a, a.flip(0)) == 0
    assert there <= earth_movers_distance(a, c) + earth_movers_distance(c, b) + 1e-12


def test_distances_are_those_of_numpy_whatever_the_piece():
    one, other = uniform(7, 3, 2, 5, seed=1), uniform(10, 3, 2, 5, seed=2)
    x, y = one.flatten(1).numpy(), other.flatten(1).numpy()
    expected = np.linalg.norm(x[:, None] - y[None], axis=-1)
    for piece in (1, 3, 128):
        found = distances(one, other, piece=piece)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)


def test_close_points_keep_their_distance():
    one = uniform(30, 3000)  # |x|^2 is 1,000: through products only 1e-6 would be left
    other = one + 1e-9
    expected = (one - other).norm(dim=1)
    torch.testing.assert_close(distances(one, other).diag(), expected, rtol=1e-9, atol=0)


def test_single_precision_is_computed_in_double():
    one, other = uniform(4, 3, 5, 5, seed=1).float(), uniform(4, 3, 5, 5, seed=2).float()
    expected = earth_movers_distance(one.double(), other.double())
    assert earth_movers_distance(one, other) == expected


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (uniform(3, 2), uniform(4, 2), r"\(3, 2\) and \(4, 2\).*equally many"),
        (uniform(3, 2), uniform(3, 4), r"\(3, 2\) and \(3, 4\).*one size"),
        (uniform(0, 2), uniform(0, 2), r"one has shape \(0, 2\).*at least one"),
        (uniform(3), uniform(3), r"one has shape \(3,\)"),
        (uniform(3, 2), uniform(3, 2) * torch.nan, r"other\[0, 0\] is nan"),
        (uniform(3, 2) / 0, uniform(3, 2), r"one\[0, 0\] is inf"),
    ],
)
def test_samples_that_do_not_fit_are_refused(one, other, says):
    with pytest.raises(DataError, match=says):
        earth_movers_distance(one, other)


def test_distances_refuse_points_of_two_sizes_and_pieces_below_one():
    with pytest.raises(DataError, match=r"\(2,\) and \(3,\).*one space"):
        distances(uniform(4, 2), uniform(5, 3))
    with pytest.raises(SettingError, match=r"piece=0 is below 1"):
        distances(uniform(4, 2), uniform(5, 2), piece=0)


def test_unequal_numbers_of_images_are_refused():
    with pytest.raises(DataError, match=r"one to one\. Take equally many"):
        epsilon_pii(uniform(3, 3, 2, 2), uniform(4, 3, 2, 2))
