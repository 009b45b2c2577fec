"""The page of results, from records made by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from facecrafter.errors import ResultError
from facecrafter.paper.cells import Table
from facecrafter.paper.describe import of_defence, of_threat
from facecrafter.paper.headline import headline
from facecrafter.paper.points import ANY, STRONGEST, curve, eval_acc_at, points
from facecrafter.paper.report import render, write_report
from facecrafter.paper.store import TAKEN_OVER, Record, Store
from facecrafter.paper.threats import LEARNING
from made_records import RECORDS, THREATS, recipe, record


def test_the_page_holds_what_was_measured(table: Table) -> None:
    page = render(table, RECORDS, "figures/tiny.svg")
    assert "# Tiny" in page
    plain = "| Plain | 0.950 ± 0.000 | 0.000 | 71.0 ± 1.0 % | 91.0 ± 1.0 % | 81.0 ± 1.0 % | 91.0"
    assert plain in page
    assert "| Crafter strength 0.3 | 0.900 ± 0.000 | 0.050 | 11.0 ± 1.0 % | 21.0" in page
    assert "| Plain | white-box | 71.0 ± 1.0 % | 81.77 % | paper, VI-B | 128 pixels |" in page
    assert "0.600 ± 0.000 | 0.400 ± 0.000 | 0.500 ± 0.000" in page
    assert "## To know\n\nPainted faces." in page
    assert "30 cells, 30.0 hours" in page
    assert "commit: aaaaaaaaaaaa\n" in page
    assert "steps" not in page  # all Crafters have 40


def test_where_another_defence_is_better_it_is_said(table: Table) -> None:
    page = render(table, RECORDS, "figures/tiny.svg")
    # at AUC 0.90 noise lies half-way between its points: 0.41; at 0.93 between 0.51 and 0.91
    assert "| Crafter strength 0.3 | 0.900 | 21.0 % | 41.0 % |" in page
    assert "| Crafter strength 3 | 0.930 |" in page
    assert "more private than each baseline" in page
    worse = [r for r in RECORDS if r.defence.get("strength") != 0.3]
    low = [
        replace(r, outcome={**r.outcome, "eval_acc": 0.0, "recognised": "0" * 100})
        if r.defence["name"] == "Noise"
        else r
        for r in worse
    ]
    # alone in its family now; noise is a third of the way from 0 to no defence's 0.91
    expected = "Crafter than Noise (61.0 % against 30.3 %)"
    assert expected in render(table, low, "figures/tiny.svg")


def test_a_baseline_that_is_better_beyond_its_curve_is_told_too(table: Table) -> None:
    best = [
        replace(r, outcome={**r.outcome, "auc": 0.94, "eval_acc": 0.1})
        if r.defence == {"name": "Noise", "strength": 2.0, "steps": 40}
        else r
        for r in RECORDS
        if r.defence.get("strength") != 1.0
    ]
    expected = "Crafter strength 0.3 than Noise (21.0 % against 10.0 % at AUC 0.940)"
    assert expected in render(table, best, "figures/tiny.svg")


def test_crafter_against_another_opponent_is_another_curve() -> None:
    def against(opponent: str) -> list[Record]:
        return [
            replace(r, defence={**r.defence, "opponent": {"name": opponent}})
            for r in RECORDS
            if r.defence["name"] == "Crafter"
        ]

    found = points([*against("PixelOpponent"), *against("LatentOpponent")])
    assert {point.family for point in found} == {"Crafter", "Crafter, LatentOpponent"}
    assert "Crafter, LatentOpponent strength 3" in {point.label for point in found}


def test_a_label_names_the_field_of_an_inner_recipe_not_all_of_it() -> None:
    around = [
        replace(r, defence={"name": "Steered", "defence": r.defence, "weight": 0.5})
        for r in RECORDS
        if r.defence["name"] == "Crafter"
    ]
    assert "Steered strength 3" in {point.label for point in points(around)}


def knowing() -> list[Record]:
    """The records, and Crafter again with another utility, less often recognised."""
    more = [
        replace(
            r,
            defence={
                **r.defence,
                "utility": {"name": "TaskUtility", "features": 0.1},
            },
            outcome={**r.outcome, "eval_acc": r.outcome["eval_acc"] / 2},
        )
        for r in RECORDS
        if r.defence["name"] == "Crafter"
    ]
    return [*RECORDS, *more]


def test_crafter_with_another_utility_is_another_curve_and_column() -> None:
    assert {p.family for p in points(knowing())} >= {
        "Crafter",
        "Crafter, TaskUtility",
    }
    told = headline(knowing()) or ""
    assert "`Crafter, TaskUtility strength 0.3`: knows some of the questions |" in told
    strongest = [
        f"{figure} % (black-box) |" for figure in ("91.0 ± 1.0", "21.0 ± 1.0", "10.5 ± 0.5")
    ]
    assert f"| faces recognised, strongest basic attack | {' '.join(strongest)}" in told


def test_questions_that_the_surrogate_learnt_stand_apart(table: Table) -> None:
    learnt = ("Young", "Smiling", "Hat")
    some = [
        replace(
            r,
            outcome={
                **r.outcome,
                "auc_by_attribute": {"Smiling": 0.9, "Young": 0.8 + r.seed / 50, "Bald": 0.6},
            },
        )
        for r in RECORDS
    ]
    page = render(replace(table, learnt=learnt), some, "f.svg")
    assert (
        "| defence | AUC of the 2 that the surrogate learnt | AUC of the 1 that it did not |"
        in page
    )
    assert "| Noise strength 1 | 0.855 ± 0.005 | 0.600 ± 0.000 |" in page
    assert "AUC of the 1 that it did not | 0.600" in (headline(some, learnt) or "")
    one = [r for r in some if r.seed == 0]  # three threats of one seed have no spread
    assert "| Noise strength 1 | 0.850 | 0.600 |" in render(
        replace(table, learnt=learnt), one, "f.svg"
    )
    for nothing in ((), ("Hat",), ("Smiling", "Young", "Bald")):
        assert "AUC of the" not in render(replace(table, learnt=nothing), some, "f.svg")


def test_an_attack_that_breaks_nothing_is_marked(table: Table) -> None:
    weak = [
        replace(r, outcome={**r.outcome, "eval_acc": 0.3})
        if (r.defence["name"], r.threat["name"]) == ("Plain", "hybrid")
        else r
        for r in RECORDS
    ]
    assert "hybrid †" in render(table, weak, "figures/tiny.svg")
    assert "†" not in render(table, RECORDS, "figures/tiny.svg")


def test_a_black_box_attack_above_the_white_box_one_is_told(table: Table) -> None:
    assert "stronger than the white-box one against Plain" in render(table, RECORDS, "f.svg")


def test_strongest_and_any() -> None:
    found = {(p.label, p.threat): p["eval_acc"] for p in points(RECORDS)}
    assert found["Crafter strength 0.3", STRONGEST].mean == pytest.approx(0.21)
    # 20 faces by the black box, 15 others by the hybrid attack; two more of each with seed 1
    any_of_three = found["Crafter strength 0.3", ANY]
    assert (any_of_three.low, any_of_three.high) == pytest.approx((0.35, 0.39))


def test_between_points_a_curve_is_straight() -> None:
    noise = curve(points(RECORDS), "Noise", "white-box")
    assert [point["auc"].mean for point in noise] == [0.88, 0.92]
    assert eval_acc_at(0.89, noise) == pytest.approx(0.26)
    assert eval_acc_at(0.95, noise) is None


def test_page_figure_and_csv_are_written_and_the_same_again(
    full: Table, store: Store, tmp_path: Path
) -> None:
    for number, one in enumerate(RECORDS):
        store.write(f"{number:016}", one)
    page = write_report(full, store, tmp_path / "docs")
    figures = tmp_path / "docs" / "figures"
    before = {path.name: path.read_bytes() for path in (page, *figures.iterdir())}
    assert sorted(before) == ["results.csv", "results.md", "results.svg"]
    assert b"<svg" in before["results.svg"]
    rows = list(csv.DictReader(before["results.csv"].decode().splitlines()))
    one = next(r for r in rows if (r["defence"], r["threat"]) == ("Plain", "white-box"))
    assert float(one["eval_acc"]) == pytest.approx(0.71)
    assert float(one["eval_acc_high"]) == pytest.approx(0.72)
    assert len(rows) == 5 * 5
    write_report(full, store, tmp_path / "docs")
    assert before == {path.name: path.read_bytes() for path in (page, *figures.iterdir())}


def test_a_table_that_is_half_measured_renders_and_says_so(table: Table) -> None:
    plain = record("Plain", None, "white-box", 0)
    whole = [
        replace(
            plain,
            defence=of_defence(cell.defence),
            threat=of_threat(cell.threat),
            seed=seed,
            versions={"scene": "b" * 64, "cell": cell.key("b" * 64)},
        )
        for cell in table.cells()
        for seed in (0, 7)  # one that the table has, one that it has not
    ]
    page = render(table, whole, "figures/tiny.svg")
    assert "not measured yet" not in page
    assert "earlier code" not in page
    checked = replace(whole[0], versions={**whole[0].versions, TAKEN_OVER: "1 of 3 batches"})
    assert "- 1 cells hold batches that earlier code made" in render(table, [checked], "")
    older = replace(whole[-2], versions={"scene": "b" * 64, "cell": "of other code"})
    page = render(table, [*whole[4:-2], older], "figures/tiny.svg")
    assert "1 cells were measured by earlier code" in page
    assert "2 cells of the table are not measured yet" in page
    assert "Nothing to compare yet." in page


def test_results_that_do_not_belong_together_are_refused(table: Table) -> None:
    other = replace(RECORDS[0], seed=7, versions={"scene": "c" * 64})
    with pytest.raises(ResultError, match="2 scenes"):
        points([*RECORDS, other])
    with pytest.raises(ResultError, match="two results of"):
        points([*RECORDS, RECORDS[0]])


def test_a_page_holds_its_own_defences_and_threats(
    full: Table, store: Store, tmp_path: Path
) -> None:
    """Tables may share a scene."""
    for number, one in enumerate(RECORDS):
        store.write(f"{number:016}", one)
    less = replace(full, defences=full.defences[:3], threats=full.threats[:2], page="less")
    text = write_report(less, store, tmp_path).read_text()
    assert "| Noise strength 2 | 0.880" in text
    assert "Crafter strength" not in text
    assert "hybrid" not in text.split("## How it was run")[0].split("## To know")[0]
    assert (tmp_path / "figures/less.svg").exists()
    assert not (tmp_path / "figures/results.svg").exists()


def test_lessons_have_tables_and_a_figure_of_their_own(
    table: Table, store: Store, tmp_path: Path
) -> None:
    names = ("black-box A1", "black-box A1, 1,000 pairs")
    learnt = [
        replace(r, threat={"name": names[THREATS.index(r.threat["name"])]})
        for r in RECORDS
        if r.defence["name"] == "Plain" and r.threat["name"] in THREATS[:2]
    ]
    for number, one in enumerate(learnt):
        store.write(f"{number:016}", one)
    threats = tuple(one for one in LEARNING if one.name in names)
    plain = replace(table, defences=(recipe("Plain", None),), threats=threats, seeds=(0, 1))
    text = write_report(plain, store, tmp_path).read_text()
    columns = "| defence | AUC | drop | black-box A1 | strongest | any |"
    assert f"{columns}\n| --- | --- | --- | --- | --- | --- |\n| Plain | 0.950" in text
    assert text.count("## How much a lesson is worth") == 1
    assert "| Plain | 91.0 ± 1.0 % |  |  | 71.0 ± 1.0 % |" in text
    assert "| Plain | black-box A1, 1,000 pairs |" in text  # its likeness stands with the others
    for end in ("svg", "csv"):
        assert f"(figures/results-lessons.{end})" in text
        assert (tmp_path / f"figures/results-lessons.{end}").exists()
    alone = render(plain, [r for r in learnt if r.threat["name"] == names[1]], "f.svg")
    assert "| black-box A1, 1,000 pairs | strongest" in alone  # else it would stand nowhere
    assert "lesson" not in alone


def test_machines_and_versions_that_differ_are_all_told(table: Table) -> None:
    gpu = replace(
        RECORDS[0],
        machine={"cpu": "other", "threads": 4, "gpu": "NVIDIA H100"},
        versions={**RECORDS[0].versions, "torch": "2+cu"},
    )
    page = render(table, [*RECORDS[1:], gpu], "f.svg")
    assert "- machine: one, 1 thread(s); other, 4 thread(s), NVIDIA H100\n" in page
    assert "- torch 2, 2+cu, scene bbbbbbbbbbbb\n" in page
    page = render(table, RECORDS, "f.svg")
    assert "- machine: one, 1 thread(s)\n" in page
    assert "- torch 2, scene bbbbbbbbbbbb\n" in page


def test_without_results_there_is_no_page(table: Table, store: Store, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="facecrafter evaluate"):
        write_report(table, store, tmp_path / "docs")
