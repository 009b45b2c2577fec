"""Whether it helps an attacker to learn from the defence, told from points."""

from facecrafter.paper.learning import HEAD, answer, rows, section
from made_points import point

FOUND = [
    point("Crafter", "white-box", 0.30),
    point("Crafter", "hybrid", 0.20),
    point("Crafter", "black-box A1", 0.25),
    point("Crafter", "deep decoder A1", 0.80),
    point("Crafter", "strongest", 0.80),
    point("StandIn", "black-box", 0.15),
    point("StandIn", "deep decoder A1", 0.18),
    point("Noise", "white-box", 0.5),
]


def test_the_best_of_each_kind_stand_side_by_side() -> None:
    told = rows(FOUND, ["Crafter", "StandIn", "Noise"])
    assert told == [
        [
            "Crafter",
            "30.0 % (white-box)",
            "25.0 % (black-box A1)",
            "80.0 % (deep decoder A1)",
            "-5.0",
            "+50.0",
        ],
        [
            "StandIn",
            "15.0 % (black-box)",
            "not measured",
            "18.0 % (deep decoder A1)",
            "not measured",
            "+3.0",
        ],
    ]
    assert all(len(row) == len(HEAD) for row in told)


def test_the_answer_follows_the_figures() -> None:
    text = answer(rows(FOUND, ["Crafter", "StandIn"]))
    assert "**A1 helps**" in text
    assert "Crafter (+50.0 points)" in text
    assert "of the paper" not in text
    better = [*FOUND, point("Crafter", "white-box A1", 0.41)]
    both = answer(rows(better, ["Crafter"]))
    assert (
        "**The A1 of the paper alone helps**, by more than 5 points, against Crafter (+11.0" in both
    )
    assert "StandIn" not in text
    assert "No A1 attack gains" in answer(rows(FOUND, ["StandIn"]))


def test_no_section_where_nobody_learnt() -> None:
    assert section(FOUND, ["Noise"]) == []
    assert len(section(FOUND, ["Crafter"])) == 3
