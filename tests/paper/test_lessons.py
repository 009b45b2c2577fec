"""How much a lesson is worth, told and drawn from points."""

import csv
from pathlib import Path

import pytest

from facecrafter.paper.lessons import (
    AXES,
    FULL,
    apart,
    convergence,
    draw,
    has_section,
    line,
    rows,
    section,
    steps,
)
from facecrafter.paper.points import Point, Spread
from facecrafter.paper.threats import LEARNING
from made_points import point

PAIRS, EPOCHS = AXES
SMALL, DEEP = FULL
LABELS = ["Crafter", "StandIn", "Noise"]
FOUND = [
    point("Crafter", "white-box", 0.30),
    point("Crafter", "deep decoder A1, 1,000 pairs", 0.30),
    point("Crafter", "deep decoder A1, 4,000 pairs", 0.60),
    point("Crafter", "deep decoder A1", 0.80),
    point("Crafter", "deep decoder A1, 5 epochs", 0.50),
    point("Crafter", "deep decoder A1, 40 epochs", 0.84),
    point("Crafter", "deep decoder A1, 80 epochs", 0.86),
    point("Crafter", "black-box A1", 0.40),
    point("Crafter", "black-box A1, 10 epochs", 0.41),
    point("StandIn", "deep decoder A1", 0.20),
    point("StandIn", "deep decoder A1, 40 epochs", 0.25),
    point("Noise", "deep decoder A1", 0.90),
    point("Noise", "strongest", 0.90),
]


def test_the_lessons_of_the_table_are_the_steps_of_the_curves() -> None:
    assert [full.name for full in FULL] == ["black-box A1", "deep decoder A1"]
    for full in FULL:
        assert list(steps(full, PAIRS)) == [1000, 2000, 4000, 8000]
        assert list(steps(full, EPOCHS)) == [5, 10, 20, 40, 80]
        assert steps(full, PAIRS)[8000] == steps(full, EPOCHS)[20] == full.name
    names = {name for full in FULL for axis in AXES for name in steps(full, axis).values()}
    assert names == {threat.name for threat in LEARNING}


def test_a_curve_is_of_one_defence_and_decoder_and_in_order() -> None:
    over_pairs = line(FOUND, "Crafter", DEEP, PAIRS)
    assert {number: one.mean for number, one in over_pairs.items()} == {
        1000: 0.30,
        4000: 0.60,
        8000: 0.80,
    }
    assert list(line(list(reversed(FOUND)), "Crafter", DEEP, EPOCHS)) == [5, 20, 40, 80]
    assert line(FOUND, "Noise", SMALL, PAIRS) == {}


def test_a_table_of_each_decoder_is_empty_where_nothing_was_measured() -> None:
    told = "\n\n".join(section(FOUND, LABELS, "figures/curve-lessons"))
    heads = "1,000 pairs | 2,000 pairs | 4,000 pairs | 8,000 pairs | 5 epochs | 10 epochs"
    assert told.count(heads) == 2
    small, deep = told.split("Eval Acc of ")[1:]
    assert small.startswith("black-box A1, over pairs at 20 epochs and over epochs on 8,000 pairs:")
    assert "| Crafter |  |  |  | 40.0 % |  | 41.0 % | 40.0 % |  |  |" in small
    assert "StandIn" not in small.split("\n\n")[1]
    expected = "| Crafter | 30.0 % |  | 60.0 % | 80.0 % | 50.0 % |  | 80.0 % | 84.0 % | 86.0 % |"
    assert expected in deep
    assert "| Noise |  |  |  | 90.0 % |  |  | 90.0 % |  |  |" in deep
    assert "(figures/curve-lessons.svg)" in told
    assert "(figures/curve-lessons.csv)" in told


def test_what_twice_the_lesson_still_helps_is_not_converged() -> None:
    more, settled, unknown = convergence(FOUND, LABELS, EPOCHS).split(". ")
    assert more.startswith("**Not converged**")
    assert more.endswith(": deep decoder A1 against StandIn (+5.0 points from 20 to 40)")
    assert "lower bound" in more
    assert settled.startswith("Converged")
    assert settled.endswith(
        ": black-box A1 against Crafter (-1.0 points from 10 to 20); "
        "deep decoder A1 against Crafter (+2.0 points from 40 to 80)"  # not more than 2
    )
    assert unknown.endswith(": deep decoder A1 against Noise.")
    over_pairs = convergence(FOUND, LABELS, PAIRS)
    assert "deep decoder A1 against Crafter (+20.0 points from 4,000 to 8,000)." in over_pairs
    assert "Converged" not in over_pairs


def test_no_section_without_a_curve() -> None:
    """One point of each is what the adaptive table has."""
    alone = [one for one in FOUND if one.threat in {full.name for full in FULL}]
    assert alone
    assert not has_section(alone)
    assert section(alone, LABELS, "f") == []
    assert apart(alone) == set()
    other = point("Noise", "deep decoder A1, 40 epochs", 0.9)
    assert has_section([*alone, other])
    assert not has_section([*alone, point("Blend", other.threat, 0.9)])  # of another defence
    assert apart([*alone, other]) == {one.name for one in LEARNING} - {one.name for one in FULL}


def test_the_csv_has_a_row_for_each_lesson_and_its_spread() -> None:
    spread = {"eval_acc": Spread.of([0.1, 0.2])}
    told = rows([*FOUND, Point("StandIn", "StandIn", SMALL.name, 2, spread)], LABELS)
    read = list(csv.DictReader(told.splitlines()))
    assert len(read) == 12  # neither the basic attack nor the strongest
    assert read[0] == {
        "defence": "Crafter",
        "decoder": "black-box A1",
        "pairs": "8000",
        "epochs": "10",
        "seeds": "1",
        "eval_acc": "0.410000",
        "eval_acc_low": "0.410000",
        "eval_acc_high": "0.410000",
    }
    seeds = next(row for row in read if row["seeds"] == "2")
    assert (seeds["defence"], seeds["epochs"]) == ("StandIn", "20")
    values = [float(seeds[f"eval_acc{end}"]) for end in ("", "_low", "_high")]
    assert values == pytest.approx([0.15, 0.1, 0.2])


def test_the_figure_is_drawn_where_there_is_a_section(tmp_path: Path) -> None:
    path = tmp_path / "curve-lessons.svg"
    draw([one for one in FOUND if one.label == "Noise"], LABELS, path, "Tiny")
    assert not path.exists()
    draw(FOUND, LABELS, path, "Tiny")
    drawn = path.read_bytes()
    assert b"<svg" in drawn
    assert path.with_suffix(".csv").read_text() == rows(FOUND, LABELS)
    draw(FOUND, LABELS, path, "Tiny")
    assert path.read_bytes() == drawn
