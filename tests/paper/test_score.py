"""The score ranks as it should, and tells what it is of."""

from dataclasses import replace
from itertools import pairwise

import pytest

from facecrafter.paper import score
from facecrafter.paper.points import points
from made_records import RECORDS


def test_one_is_ideal_and_less_is_worse() -> None:
    assert score.score(0, 0) == 1
    assert score.score(0, -0.1) == 1  # a gain of AUC pays for nothing
    assert score.score(1, 0) == pytest.approx(1 / (1 + 0.5**0.5))
    assert score.score(1, 0) == score.score(0, 1)
    falling = [score.score(acc, 0.05) for acc in (0.0, 0.1, 0.5, 0.9)]
    assert all(before > after for before, after in pairwise(falling))
    assert score.score(0.3, 0.0) > score.score(0.3, 0.1)


def test_the_best_comes_first_with_the_number_of_attacks() -> None:
    found = points(RECORDS)
    labels = sorted({point.label for point in found})
    head, how, told = score.section(found, labels)
    assert head.startswith("## ")
    assert "VFLAIR" in how
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines()[2:]]
    assert sorted(row[0] for row in rows) == labels
    worst = [float(row[1]) for row in rows]
    assert worst == sorted(worst, reverse=True)
    assert all(float(row[2]) >= float(row[1]) for row in rows)
    plain = next(point for point in found if (point.label, point.threat) == ("Plain", "strongest"))
    own = next(row for row in rows if row[0] == "Plain")
    assert own[1] == f"{score.score(plain['eval_acc'].mean, 0):.3f}"
    assert int(own[3]) == len({point.threat for point in found if point.label == "Plain"}) - 2


def test_without_plain_features_there_is_no_score() -> None:
    found = [replace(p, family="Other") if p.family == "Plain" else p for p in points(RECORDS)]
    assert not score.section(found, ["Other"])
