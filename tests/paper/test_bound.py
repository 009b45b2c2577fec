"""Theorem 1 and Eq. 34: sums, how they move, and the inequality beneath them by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from facecrafter.errors import SettingError
from facecrafter.paper.bound import (
    Terms,
    confidence,
    equation_34,
    faces_needed,
    greatest_value,
    network_complexity,
    theorem_1,
    theorem_1_summed,
    upper_limit,
)

TERMS = Terms(average=0.5, seen=0.25, greatest_average=3.0, greatest=2.0, count=50)
ROOT = math.sqrt(math.log(1 / 0.1) / 100)


def test_they_are_what_the_paper_prints() -> None:
    assert theorem_1(TERMS, 0.1) == pytest.approx(4 * 0.5 + 4 * 0.25 + 2 * 5 * ROOT)
    assert equation_34(TERMS, 0.1) == pytest.approx(2 * 0.25 + 4 * ROOT + 2 * 0.5 + 6 * ROOT)


def test_the_papers_own_steps_give_twice_the_last_term() -> None:
    # (I) and (II) are each R, (III) is 2 C: Eqs. 24, 25, 26 with Eqs. 31, 32
    r, c = 2 * 0.5 + 2 * 3 * ROOT, 2 * 0.25 + 2 * 2 * ROOT
    assert theorem_1_summed(TERMS, 0.1) == pytest.approx(r + r + 2 * c)
    assert theorem_1_summed(TERMS, 0.1) - theorem_1(TERMS, 0.1) == pytest.approx(2 * 5 * ROOT)
    assert theorem_1_summed(TERMS, 0.1) == pytest.approx(2 * equation_34(TERMS, 0.1))


@pytest.mark.parametrize("bound", [theorem_1, theorem_1_summed, equation_34])
def test_a_bound_falls_with_faces_and_rises_with_certainty(bound: object) -> None:
    assert callable(bound)
    by_count = [bound(replace(TERMS, count=n), 0.1) for n in (1, 10, 100, 10_000)]
    assert by_count == sorted(by_count, reverse=True)
    assert len(set(by_count)) == 4
    by_delta = [bound(TERMS, delta) for delta in (0.5, 0.1, 0.01, 1e-6)]
    assert by_delta == sorted(by_delta)
    assert len(set(by_delta)) == 4
    # what is left with very many faces is the complexities
    many = bound(replace(TERMS, count=10**12), 0.1)
    assert many == pytest.approx((4 if bound is not equation_34 else 2) * 0.75, abs=1e-4)


def test_a_deviation_exceeds_the_term_as_rarely_as_it_says() -> None:
    """McDiarmid for one critic that is -Q or Q: one side fails with delta at most."""
    rng = np.random.default_rng(0)
    means = 2.0 * rng.choice([-1, 1], (20_000, 40)).mean(axis=1)
    for delta in (0.5, 0.2, 0.05):
        assert (means > confidence(2.0, 40, delta)).mean() <= delta
    assert (means > confidence(2.0, 40, 0.5) / 4).mean() > 0.1  # and it is no empty one


def test_the_limit_without_complexities_holds_in_a_simulation() -> None:
    """Two samples on the line: the true distance of uniform(0, 1) and uniform(0.1, 1) is known."""
    rng, count, true = np.random.default_rng(0), 30, 0.05
    one = np.sort(rng.uniform(0, 1, (4000, count)), axis=1)
    other = np.sort(rng.uniform(0.1, 1, (4000, count)), axis=1)
    found = np.abs(one - other).mean(axis=1)  # the earth mover's distance on a line
    assert found.mean() > true  # samples are further apart, on average
    for delta in (0.5, 0.1):
        held = [true <= upper_limit(epsilon, 1.0, count, delta) for epsilon in found]
        assert np.mean(held) >= 1 - delta


def test_greatest_values_are_products_of_norms() -> None:
    assert greatest_value(10.0, [2.0, 3.0]) == pytest.approx(60)
    closed = network_complexity(10.0, [2.0, 3.0], 25)
    assert closed == pytest.approx(60 * (math.sqrt(4 * math.log(2)) + 1) / 5)
    assert network_complexity(10.0, [2.0, 3.0], 100) == pytest.approx(closed / 2)


def test_faces_needed_are_enough_and_no_more() -> None:
    needed = faces_needed(5.0, 0.3, 0.1)
    assert confidence(5.0, needed, 0.1) <= 0.3 < confidence(5.0, needed - 1, 0.1)


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, math.nan])
def test_a_probability_is_between_0_and_1(delta: float) -> None:
    for bound in (theorem_1, equation_34):
        with pytest.raises(SettingError, match="delta"):
            bound(TERMS, delta)
    with pytest.raises(SettingError, match="delta"):
        upper_limit(1.0, 1.0, 10, delta)


@pytest.mark.parametrize("change", [{"count": 0}, {"seen": -1.0}, {"greatest": math.nan}])
def test_terms_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        replace(TERMS, **change)  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        greatest_value(-1.0, [1.0])
    with pytest.raises(SettingError):
        network_complexity(1.0, [1.0], 0)
    with pytest.raises(SettingError, match="aim"):
        faces_needed(1.0, 0.0, 0.1)
