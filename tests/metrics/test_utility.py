"""Mean AUC, against scikit-learn and against the share of pairs in the right order."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.utility import mean_auc


def share_of_ordered_pairs(values, truth):
    """AUC by its meaning: how often a yes scores above a no, half for ties."""
    yes, no = values[truth][:, None], values[~truth][None]
    return ((yes > no).double() + 0.5 * (yes == no).double()).mean().item()


def example(count=60, seed=0):
    """Scores and soft labels of four attributes: easy, hard, always no, with five yes."""
    rng = torch.Generator().manual_seed(seed)
    soft = torch.rand(count, 4, generator=rng)
    soft[:, 2] *= 0.4
    soft[:, 3] = (torch.arange(count) < 5).float()
    noise = torch.randn(count, 4, generator=rng)
    return soft + torch.tensor([0.2, 2.0, 1.0, 0.5]) * noise, soft


NAMES = ("Smiling", "Bald", "Wearing Hat", "Goatee")


def test_each_attribute_equals_both_oracles():
    scores, soft = example()
    found = mean_auc(scores, soft, NAMES)
    for i in (0, 1, 3):
        truth = soft[:, i] > 0.5
        pairs = share_of_ordered_pairs(scores[:, i], truth)
        assert found.by_attribute[NAMES[i]] == pytest.approx(pairs, abs=1e-12)
        theirs = roc_auc_score(truth.numpy(), scores[:, i].double().numpy())
        assert found.by_attribute[NAMES[i]] == pytest.approx(theirs, abs=1e-12)
    assert found.by_attribute["Smiling"] > found.by_attribute["Bald"]
    assert found.mean == pytest.approx(np.mean([found.by_attribute[NAMES[i]] for i in (0, 1, 3)]))


def test_attributes_of_one_class_are_left_out_and_counted():
    scores, soft = example()
    soft[:, 1] = 1
    found = mean_auc(scores, soft, NAMES)
    assert found.left_out == ("Bald", "Wearing Hat")
    assert tuple(found.by_attribute) == ("Smiling", "Goatee")
    assert str(found).endswith("over 2 of 4 attributes")


@pytest.mark.parametrize(("minimum", "kept"), [(5, True), (6, False)])
@pytest.mark.parametrize("flipped", [False, True], ids=["few yes", "few no"])
def test_minimum_counts_the_rarer_class(minimum, kept, flipped):
    scores, soft = example()
    found = mean_auc(scores, 1 - soft if flipped else soft, NAMES, minimum)
    assert ("Goatee" in found.by_attribute) is kept
    assert ("Goatee" in found.left_out) is not kept


def test_a_probability_of_one_half_counts_as_no():
    soft = torch.tensor([[0.5], [0.51], [0.0], [1.0]])
    found = mean_auc(torch.tensor([[0.0], [2.0], [1.0], [3.0]]), soft, ["a"])
    assert found.mean == 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=30))
def test_ties_count_half_and_order_is_all_that_matters(rows):
    scores = torch.tensor([[float(score)] for score, _ in rows], dtype=torch.float64)
    truth = torch.tensor([[yes] for _, yes in rows])
    assume(0 < truth.sum() < len(rows))
    found = mean_auc(scores, truth.double(), ["a"]).mean
    assert found == pytest.approx(share_of_ordered_pairs(scores[:, 0], truth[:, 0]), abs=1e-12)
    assert mean_auc(scores.sigmoid(), truth.double(), ["a"]).mean == pytest.approx(found)
    assert mean_auc(-scores, truth.double(), ["a"]).mean == pytest.approx(1 - found)


SCORES, SOFT = torch.tensor([[0.1, 1], [0.2, 2]]), torch.tensor([[0.0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("scores", "soft", "names", "says"),
    [
        (SCORES * torch.nan, SOFT, "ab", r"scores\[0, 0\] is nan.*must be finite"),
        (SCORES / 0, SOFT, "ab", r"scores\[0, 0\] is inf.*must be finite"),
        (SCORES, SOFT * torch.nan, "ab", r"attributes\[0, 0\] is nan.*attributes are all known"),
        (SCORES, SOFT * 2 - 1, "ab", r"from -1 to 1; they are probabilities"),
        (SCORES, SOFT * 1.5, "ab", r"from 0 to 1\.5; they are probabilities"),
        (SCORES[:0], SOFT[:0], "ab", r"shape \(0, 2\).*at least one"),
        (SCORES[0], SOFT[0], "ab", r"shape \(2,\).*\(batch, attributes\)"),
        (SCORES[:1], SOFT, "ab", r"\(1, 2\) and attributes \(2, 2\)"),
        (SCORES, SOFT, "abc", r"3 names \(3 different\) for 2 attributes"),
        (SCORES, SOFT, "aa", r"2 names \(1 different\) for 2 attributes"),
        (SCORES, SOFT * 0, "ab", r"none of 2 attributes has 1 photographs of each class"),
    ],
)
def test_what_does_not_fit_is_refused(scores, soft, names, says):
    with pytest.raises(DataError, match=says):
        mean_auc(scores, soft, list(names))


def test_a_minimum_below_one_is_refused():
    with pytest.raises(SettingError, match=r"minimum=0 is below 1"):
        mean_auc(SCORES, SOFT, ["a", "b"], 0)
