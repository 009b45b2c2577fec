"""TAR at FAR, against pairs counted one by one."""

import pytest
import torch
from torch import Tensor

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.verification import accepted
from facecrafter.randomness import stream


def drawn(people: int = 6, photographs: int = 5, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    """Embeddings around one direction for each person."""
    rng = stream(0, "verification", str(noise))
    labels = torch.arange(people).repeat_interleave(photographs)
    centres = torch.randn(people, 16, generator=rng)
    return centres[labels] + noise * torch.randn(len(labels), 16, generator=rng), labels


def one_by_one(seen: Tensor, known: Tensor, labels: Tensor, rate: float) -> list[float]:
    def alike(i: int, j: int) -> float:
        pair = seen[i].double(), known[j].double()
        return torch.nn.functional.cosine_similarity(*pair, dim=0).item()

    count = len(labels)
    strangers = sorted(
        (alike(i, j) for i in range(count) for j in range(count) if labels[i] != labels[j]),
        reverse=True,
    )
    threshold = strangers[int(rate * len(strangers))]
    rows = []
    for i in range(count):
        own = [alike(i, j) for j in range(count) if labels[i] == labels[j] and i != j]
        rows.append(sum(value > threshold for value in own) / len(own))
    return rows


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_it_is_what_counting_gives(rate: float, noise: float) -> None:
    known, labels = drawn()
    seen = known + noise * torch.randn(known.shape, generator=stream(0, "seen"))
    counted = torch.tensor(one_by_one(seen, known, labels, rate), dtype=torch.float64)
    assert torch.allclose(accepted(seen, known, labels, rate), counted)


def test_strangers_pass_at_no_more_than_the_rate() -> None:
    known, labels = drawn(people=20)
    other = torch.randn(known.shape, generator=stream(1, "nothing"))
    assert accepted(known, known, labels, 0.01).mean() > 0.9
    assert accepted(other, known, labels, 0.01).mean() < 0.05  # what chance gives is the rate
    assert accepted(torch.ones_like(known), known, labels, 0.01).mean() < 0.1  # one face for all


def test_a_face_is_not_compared_with_its_own_photograph() -> None:
    known, labels = drawn(noise=30.0)  # photographs of one person have nothing in common
    assert accepted(known, known, labels, 0.01).mean() < 0.3


def test_length_says_nothing() -> None:
    known, labels = drawn()
    assert torch.equal(accepted(known * 7, known, labels, 0.1), accepted(known, known, labels, 0.1))


def test_what_cannot_be_compared_is_refused() -> None:
    known, labels = drawn()
    for rate in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingError, match="rate="):
            accepted(known, known, labels, rate)
    with pytest.raises(DataError, match="person 9 has one photograph"):
        accepted(known, known, torch.where(torch.arange(30) == 0, 9, labels), 0.1)
    with pytest.raises(DataError, match="750 pairs"):
        accepted(known, known, labels, 0.001)
    with pytest.raises(DataError, match="no direction"):
        accepted(known.clone().index_fill_(0, torch.tensor([3]), 0.0), known, labels, 0.1)
    with pytest.raises(DataError, match="shape"):
        accepted(known[:3], known, labels, 0.1)
    with pytest.raises(DataError, match="finite"):
        accepted(known * torch.nan, known, labels, 0.1)
    with pytest.raises(DataError, match="labels"):
        accepted(known, known, labels[:4], 0.1)
