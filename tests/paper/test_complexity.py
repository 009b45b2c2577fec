"""Rademacher complexities: closed forms, a linear program and all subsets as oracles."""

from itertools import product

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor
from torch.nn.functional import conv2d

from facecrafter.errors import DataError, SettingError
from facecrafter.paper.bound import greatest_value, network_complexity
from facecrafter.paper.complexity import (
    ascended,
    chosen,
    linear,
    lipschitz,
    matrix_norms,
    score,
    signs,
    trained,
)
from facecrafter.randomness import stream


def every(count: int) -> Tensor:
    """All rows of signs."""
    return torch.tensor(list(product((1.0, -1.0), repeat=count)), dtype=torch.float64)


def faces(count: int, seed: int = 0, size: int = 64) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_monte_carlo_agrees_with_the_closed_form_of_linear_functions() -> None:
    """Orthogonal points of one length B: |sum s_i x_i| is B sqrt(b) for any signs."""
    points = 3.0 * torch.eye(16)
    assert linear(points, signs(5, 16, stream(0, "test"))).tolist() == pytest.approx([0.75] * 5)
    line = torch.full((9, 1), 2.0)  # on a line: B E|sum s_i| / b, by all rows
    exact = linear(line, every(9)).mean().item()
    assert exact == pytest.approx(2 * every(9).sum(dim=1).abs().mean().item() / 9)
    drawn = linear(line, signs(20_000, 9, stream(1, "test"))).mean().item()
    assert drawn == pytest.approx(exact, rel=0.02)


def test_linear_functions_stay_below_their_bound() -> None:
    points = torch.randn(12, 5, dtype=torch.float64)
    mean = linear(points, signs(2000, 12, stream(0, "test"))).mean()
    assert mean <= points.square().sum().sqrt() / 12 * 1.02
    assert mean <= points.norm(dim=1).max() / 12**0.5


def test_the_supremum_over_lipschitz_functions_is_that_of_a_linear_program() -> None:
    points = torch.randn(5, 2, dtype=torch.float64)
    places = np.vstack([points.numpy(), np.zeros(2)])
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    slopes = np.array([np.eye(6)[i] - np.eye(6)[j] for i, j in pairs])
    limits = [np.linalg.norm(places[i] - places[j]) for i, j in pairs]
    for row, found in zip(every(5), lipschitz(points, every(5)), strict=True):
        best = linprog(
            np.append(-row.numpy(), 0),
            slopes,
            limits,
            [np.eye(6)[5]],
            [0],
            bounds=[(None, None)] * 6,
        )
        assert found.item() == pytest.approx(-best.fun / 5)


def test_of_as_many_signs_of_both_kinds_it_is_half_the_distance_of_the_two() -> None:
    points, even = torch.randn(8, 3, dtype=torch.float64), np.full(4, 0.25)
    row = torch.tensor([[1.0, -1.0] * 4], dtype=torch.float64)
    costs = torch.cdist(points[::2], points[1::2]).numpy()
    assert lipschitz(points, row).item() == pytest.approx(float(ot.emd2(even, even, costs)) / 2)


def test_a_linear_critic_is_a_lipschitz_one() -> None:
    points, drawn = torch.randn(9, 6), signs(30, 9, stream(0, "test"))
    assert (linear(points, drawn) <= lipschitz(points, drawn) + 1e-9).all()
    one = torch.randn(1, 6)
    assert lipschitz(one, torch.ones(1, 1)).item() == pytest.approx(one.norm().item())


def test_complexity_falls_with_the_number_of_faces() -> None:
    points = torch.randn(64, 40)
    for of in (linear, lipschitz):
        means = [of(points[:n], signs(40, n, stream(0, "test"))).mean() for n in (4, 16, 64)]
        assert means[0] > means[1] > means[2]


def test_a_choice_of_features_helps_and_is_never_better_than_the_best() -> None:
    one, other = torch.randn(2, 6, 4, dtype=torch.float64)
    drawn, both = signs(20, 6, stream(0, "test")), torch.cat([one, other])
    rows = chosen(one, other, drawn)
    assert ((rows % 6) == torch.arange(6)).all()
    found = linear(both, drawn, rows)
    assert (found >= linear(one, drawn) - 1e-9).all()
    subsets = torch.tensor(list(product((0, 1), repeat=6))) * 6 + torch.arange(6)
    for row, value in zip(drawn, found, strict=True):
        assert value <= linear(both, row.expand(64, -1), subsets).max() + 1e-9
    assert found.mean() > linear(one, drawn).mean() * 1.1


def test_where_features_are_free_more_faces_do_not_help() -> None:
    """Each face may be at either of two places: R(H) stays, R of what was sent falls."""
    ends = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double()
    for count in (9, 129):  # odd, so that no signs cancel
        one, other = (end.expand(count, -1) for end in ends)
        drawn = signs(50, count, stream(0, "test", count))
        free = linear(torch.cat([one, other]), drawn, chosen(one, other, drawn)).mean()
        assert free == pytest.approx(1)
    assert linear(one, drawn).mean() < 0.12


def test_norms_are_those_of_the_matrices() -> None:
    weights = [torch.randn(2, 3, 5, 5), torch.randn(1, 2, 4, 4)]
    first = conv2d(torch.eye(3 * 64).view(-1, 3, 8, 8), weights[0], stride=2, padding=2)
    second = conv2d(torch.eye(2 * 16).view(-1, 2, 4, 4), weights[1])
    expected = [first.norm().item(), second.norm().item()]
    assert matrix_norms(weights, 8) == pytest.approx(expected, rel=1e-5)


def test_a_critic_scales_and_stays_below_its_greatest_value() -> None:
    weights = [torch.randn(2, 3, 5, 5), torch.randn(1, 2, 4, 4)]
    some = torch.rand(5, 3, 8, 8)
    assert torch.allclose(score(weights, 3 * some), 3 * score(weights, some), rtol=1e-4)
    most = greatest_value(some.flatten(1).norm(dim=1).max().item(), matrix_norms(weights, 8))
    assert score(weights, some).abs().max() <= most


def test_an_ascent_climbs_and_stays_below_the_closed_form() -> None:
    weights = [torch.randn(4, 3, 5, 5), torch.randn(1, 4, 4, 4)]
    some, row = torch.rand(6, 3, 8, 8), signs(1, 6, stream(0, "test"))[0]
    before, after = (ascended(weights, some, row, steps) for steps in (1, 40))
    assert after > 1.5 * before > 0
    assert after == ascended(weights, some, row, 40)
    largest = some.flatten(1).norm(dim=1).max().item()
    assert after <= greatest_value(largest, matrix_norms(weights, 8))
    values = [ascended(weights, some, one, 40) for one in every(6)[:16]]
    assert np.mean(values) <= network_complexity(largest, matrix_norms(weights, 8), 6)
    assert ascended(weights, some, row, 40, torch.rand(6, 3, 8, 8)) > after


def test_an_ascent_of_one_layer_finds_the_linear_supremum() -> None:
    weight = torch.randn(1, 3, 4, 4)
    weight /= weight.norm()
    some, row = torch.rand(7, 3, 4, 4), signs(1, 7, stream(3, "test"))
    found = ascended([weight], some, row[0], 60)
    exact = linear(some, row).item()
    assert 0.98 * exact <= found <= exact + 1e-5


def test_a_critic_is_trained_the_same_again_and_tells_two_sets_apart() -> None:
    dark, bright = faces(8) * 0.4, faces(8, 1) * 0.4 + 0.6
    one, two = (trained(dark, bright, 2, 60, stream(0, "test")) for _ in range(2))
    assert all(a.equal(b) for a, b in zip(one, two, strict=True))
    assert score(one, bright).mean() > score(one, dark).mean() + 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="3 faces"):
        linear(torch.randn(3, 2), torch.ones(1, 4))
    with pytest.raises(DataError, match="signs"):
        lipschitz(torch.randn(3, 2), torch.ones(3))
    with pytest.raises(SettingError, match="signs"):
        signs(0, 3, stream(0, "test"))
    with pytest.raises(DataError, match="equally many"):
        trained(faces(2), faces(3), 2, 1, stream(0, "test"))
