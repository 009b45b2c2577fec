"""The cluster bootstrap, by enumeration, by the normal law and by what must not change it."""

import itertools

import numpy as np
import pytest
import torch

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.spread import confidence


def normal(count, seed=0):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_equals_the_list_of_all_draws():
    values = torch.tensor([0.0, 1, 2, 8, 9, 4], dtype=torch.float64)
    identities = torch.tensor([5, 5, 5, 2, 2, 9])
    people = [values[identities == i] for i in (2, 5, 9)]
    draws = itertools.product(people, repeat=3)  # 27, equally likely
    means = np.array([torch.cat(draw).mean().item() for draw in draws])
    found = confidence(values, identities, draws=20_000, level=0.6)  # ends inside steps
    assert found.mean == pytest.approx(4)
    assert found.low == pytest.approx(np.quantile(means, 0.2, method="inverted_cdf"))
    assert found.high == pytest.approx(np.quantile(means, 0.8, method="inverted_cdf"))


def test_one_image_each_gives_nearly_the_normal_interval():
    values = normal(400)
    found = confidence(values, torch.arange(400), draws=4000)
    half = 1.96 * values.std().item() / 20
    assert found.low == pytest.approx(found.mean - half, abs=0.1 * half)
    assert found.high == pytest.approx(found.mean + half, abs=0.1 * half)


def test_copies_of_a_photograph_add_no_certainty():
    values, people = normal(30), torch.arange(30)
    once = confidence(values, people)
    often = confidence(values.repeat_interleave(10), people.repeat_interleave(10))
    assert (often.low, often.high) == pytest.approx((once.low, once.high), rel=1e-9)
    ignorant = confidence(values.repeat_interleave(10), torch.arange(300))
    assert ignorant.high - ignorant.low < 0.5 * (often.high - often.low)


def test_the_seed_decides():
    values, people = normal(90), torch.arange(90) % 30
    assert confidence(values, people, seed=3) == confidence(values, people, seed=3)
    assert confidence(values, people, seed=3).low != confidence(values, people, seed=4).low


def test_a_lower_level_lies_inside():
    values, people = normal(90), torch.arange(90) % 30
    wide, narrow = confidence(values, people), confidence(values, people, level=0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    assert str(narrow).startswith(f"{narrow.mean:.4f} (50 %: ")


def test_equal_values_have_no_width():
    found = confidence(torch.full((6,), 0.5), torch.arange(6))
    assert (found.low, found.mean, found.high) == (0.5, 0.5, 0.5)


VALUES, PEOPLE = normal(4), torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("values", "people", "says"),
    [
        (VALUES * torch.nan, PEOPLE, r"values\[0\] is nan.*must be finite"),
        (1 / torch.zeros(4), PEOPLE, r"values\[0\] is inf.*must be finite"),
        (VALUES[:0], PEOPLE[:0], r"shape \(0,\).*at least one"),
        (VALUES[:, None], PEOPLE, r"shape \(4, 1\)"),
        (PEOPLE, PEOPLE, r"int64 of shape \(4,\)"),
        (VALUES, PEOPLE[:3], r"identities have shape \(3,\); there are 4"),
        (VALUES, PEOPLE - 1, r"identities hold -1.*count from 0"),
        (VALUES, PEOPLE * 0, r"all 4 values are of one person"),
    ],
)
def test_what_does_not_fit_is_refused(values, people, says):
    with pytest.raises(DataError, match=says):
        confidence(values, people)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(SettingError, match=rf"level={level} is not between 0 and 1"):
        confidence(VALUES, PEOPLE, level=level)


def test_no_draws_are_refused():
    with pytest.raises(SettingError, match=r"draws=0 is below 1"):
        confidence(VALUES, PEOPLE, draws=0)
