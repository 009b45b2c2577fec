"""Distance correlation, against its definition and where it is known."""

import numpy as np
import pytest
import torch

from facecrafter.defences.nopeek import NoPeek, distance_correlation
from facecrafter.randomness import normal, stream
from penalised import batch_of, small_target


def drawn(*shape: int, name: str) -> torch.Tensor:
    return normal(*shape, rng=stream(0, name), like=torch.zeros(0))


def by_definition(one: np.ndarray, other: np.ndarray) -> float:
    """Szekely et al. 2007, Definitions 4 and 5: sums over all pairs, in double precision."""

    def centred(rows: np.ndarray) -> np.ndarray:
        a = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        return a - a.mean(0) - a.mean(1)[:, None] + a.mean()

    a, b = centred(one.astype(float)), centred(other.astype(float))
    return ((a * b).mean() / np.sqrt((a**2).mean() * (b**2).mean())) ** 0.5


def test_it_is_that_of_the_definition():
    one, noise = drawn(20, 3, 4, 4, name="one"), drawn(20, 5, 2, 2, name="other")
    other = (one.flatten(1)[:, :20].reshape(20, 5, 2, 2) ** 2) + noise
    wanted = by_definition(one.flatten(1).numpy(), other.flatten(1).numpy())
    assert distance_correlation(one, other).item() == pytest.approx(wanted, rel=1e-5)
    assert 0.1 < wanted < 0.99


def test_it_is_1_for_what_keeps_the_ratios_of_distances():
    one = drawn(12, 6, name="one")
    turned = torch.linalg.qr(drawn(6, 6, name="turn")).Q
    assert distance_correlation(one, 3 * one @ turned + 5).item() == pytest.approx(1, abs=1e-5)


def test_it_is_near_0_for_what_has_nothing_to_do_with_each_other():
    one, other = drawn(2000, 1, name="one"), drawn(2000, 1, name="other")
    assert distance_correlation(one, other) < 0.08
    assert distance_correlation(one, one.square()) > 0.4  # which Pearson's r does not see


def test_large_numbers_lose_no_small_differences():
    one = drawn(12, 64, name="one")
    moved = distance_correlation(one + 1000, one.square())
    torch.testing.assert_close(moved, distance_correlation(one, one.square()), rtol=1e-3, atol=0)


def test_mixed_precision_leaves_it_as_it_is():
    one, other = drawn(12, 64, name="one"), drawn(12, 64, name="other")
    exact = distance_correlation(one, other)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distance_correlation(one, other), exact)


@pytest.mark.parametrize("rows", [torch.zeros(4, 3), torch.eye(4)[[0, 0, 1, 2]]])
def test_rows_that_are_the_same_have_finite_slopes(rows):
    rows = rows.clone().requires_grad_()
    found = distance_correlation(drawn(4, 3, name="one"), rows)
    found.backward()
    assert found.isfinite()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


def test_the_penalty_is_of_photographs_and_features(faces):
    batch = batch_of(faces)
    players = NoPeek(width=24).players(small_target(), faces)
    features = players.release(batch.images)
    wanted = by_definition(batch.images.flatten(1).numpy(), features.flatten(1).numpy())
    assert players.privacy(features, batch).item() == pytest.approx(wanted, rel=1e-4)
