"""The index of the paper's tables and figures, and its figures drawn from records made by hand."""

import csv
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from facecrafter.cli import _STYLE, Command
from facecrafter.defences.plain import Plain
from facecrafter.paper import describe, lookups, redrawn
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.development_results import Results as Developed
from facecrafter.paper.kept import Kept, spread
from facecrafter.paper.markdown import markdown
from facecrafter.paper.points import rank_correlation
from facecrafter.paper.reproduction import ITEMS, NOT_BUILT
from facecrafter.paper.reproduction_page import NOT_RUN, PAGE, render, write_page
from facecrafter.paper.store import Record, Store, put
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.averaging import LFW64_AVERAGING
from facecrafter.paper.tables.curve import LFW64_CURVE
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.tables.rivals import ADV_LEARNING, DISCO, LFW64_RIVALS, TIPRDC
from made_records import record

PROJECT = Path(__file__).parents[2]
CELLS = (LFW64, LFW64_ADAPTIVE, LFW64_AVERAGING, LFW64_CURVE, LFW64_PRIORS)
SHOWN = tuple(lookups.SHOWN.values())


def share(cell: Cell) -> float:
    """An Eval Acc that no other cell has."""
    place = list(SHOWN).index(cell.defence) if cell.defence in SHOWN else len(SHOWN)
    learnt = sum(map(ord, cell.threat.name)) % 97
    return round(0.9 - 0.1 * place - learnt / 1000, 4)


def made(cell: Cell) -> Record:
    """What might have been measured of a cell."""
    plain = record("Plain", None, "white-box", 0)
    auc = 0.95 - 0.01 * (cell.defence != SHOWN[0])
    outcome = {**plain.outcome, "eval_acc": share(cell), "auc": auc, "pii": share(cell) / 1000}
    return replace(
        plain,
        scene=cell.scene,
        defence=describe.of_defence(cell.defence),
        threat=describe.of_threat(cell.threat),
        outcome=outcome,
    )


def cells(*tables: Table) -> Iterator[Cell]:
    """Of all tables, each once."""
    every = (cell for table in tables for cell in table.cells() if cell.seed == 0)
    yield from {str(cell): cell for cell in every}.values()


def keep(folder: Path, *tables: Table) -> Kept:
    """A folder of results that holds all cells of the tables."""
    store = Store(folder / "results", folder / "work")
    for number, cell in enumerate(cells(*tables)):
        store.write(f"{number:016}", made(cell))
    return Kept(store.folder, folder / "docs")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """All tables, and what a cloud learnt of two defences."""
    found = keep(tmp_path_factory.mktemp("kept"), *CELLS)
    for number, defence in enumerate(SHOWN[:3:2]):
        one = record("Plain", None, "white-box", 0)
        outcome = dict.fromkeys(Developed.measures, 0.5) | {"public_auc": 0.9 - number / 100}
        told = {"defence": describe.of_defence(defence), "threat": {"name": "attributes"}}
        put(found.results / "development" / f"{number}.json", replace(one, outcome=outcome, **told))
    return found


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_page_is_that_of_the_results() -> None:
    mine = Kept(PROJECT / "results", PROJECT / "docs")
    figures = list(redrawn.redrawn(mine))
    assert (PROJECT / "docs" / PAGE).read_text() == render(mine, figures)
    for one in figures:
        assert (PROJECT / "docs/figures" / f"{one.name}.csv").read_text() == one.rows


def test_every_item_is_measured_or_said_not_to_be() -> None:
    mine = Kept(PROJECT / "results", PROJECT / "docs")
    for item in ITEMS:
        assert bool(item.measured) == bool(item.page), item.name
        not_run = item.name == "Figure 25"  # takes a key, and has a page that says so
        assert item.measured is None or bool(item.measured(mine)) != not_run, item.name
        assert item.measured is None or item.command != NOT_BUILT
    names = " ".join(item.name for item in ITEMS)
    for number in ("IV", "V", "VII", "VIII", "XIV"):
        assert f"Table {number}" in names
    shown = " ".join([names, *(item.shows for item in ITEMS)])
    ranges = [range(int(a), int(b)) for a, b in re.findall(r"(\d+) to (\d+)", shown)]
    for number in (*range(5, 18), *range(19, 29)):
        told = re.search(rf"\b{number}\b", shown) or any(number in some for some in ranges)
        assert told, number


@pytest.mark.parametrize(
    "command",
    sorted({one for item in ITEMS for one in item.command.split("; ") if one != NOT_BUILT}),
)
def test_every_command_is_one(command: str) -> None:
    name, *words = shlex.split(command)
    if name == "python":
        assert (PROJECT / words[0]).is_file()
    else:
        tyro.cli(Command, prog=name, args=words, config=_STYLE)  # type: ignore[arg-type]


def test_what_was_not_measured_is_told_so(tmp_path: Path) -> None:
    few = keep(tmp_path, LFW64)
    written = write_page(few)
    assert written
    page = written.read_text()
    lines = {line.split(" | ")[0].strip("| "): line for line in page.splitlines()}
    assert NOT_RUN in lines["Table V"]
    assert "(averaging.md)" not in lines["Table V"]
    assert NOT_RUN not in lines["Figure 6"]
    assert "## Figure 6" in page
    assert "## Figure 12" not in page
    assert not (few.docs / "figures/figure-12.svg").exists()
    assert write_page(Kept(tmp_path / "none", tmp_path / "other")) is None
    assert not (tmp_path / "other").exists()


def test_figures_are_written_and_the_same_again(kept: Kept) -> None:
    write_page(kept)
    figures = kept.docs / "figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    numbers = [one.number for one in redrawn.redrawn(kept)]
    assert numbers == [6, 7, 8, 9, 10, 11, 12, 14, 15]
    assert set(before) == {f"figure-{n}.{kind}" for n in numbers for kind in ("svg", "csv")}
    write_page(kept)
    assert before == {path.name: path.read_bytes() for path in figures.iterdir()}


def test_a_trade_off_has_the_papers_line_and_each_defence(kept: Kept) -> None:
    write_page(kept)
    rows = read(kept.docs / "figures/figure-6.csv")
    assert {row["threat"] for row in rows} == {"white-box"}
    assert len(rows) == len(LFW64.defences)
    (plain,) = (row for row in rows if row["defence"] == "Plain")
    (cell,) = (c for c in cells(LFW64) if (c.defence, c.threat.name) == (SHOWN[0], "white-box"))
    assert float(plain["eval_acc"]) == pytest.approx(share(cell))
    assert float(plain["ssim"]) == 0.6
    assert "81.77" in (kept.docs / "figures/figure-6.svg").read_text()
    assert "81.77" not in (kept.docs / "figures/figure-7.svg").read_text()


def test_rivals_are_attacked_with_the_decoder_of_their_game(tmp_path: Path) -> None:
    both = keep(tmp_path, LFW64, LFW64_ADAPTIVE, LFW64_RIVALS)
    drawn = {one.number: one for one in redrawn.redrawn(both)}
    assert list(drawn) == [6, 7, 8, 10, 11, 12, 14, 16]
    black = list(csv.DictReader(drawn[7].rows.splitlines()))
    game = next(row for row in black if row["defence"].startswith("Disco"))
    cell = next(
        cell
        for cell in LFW64_RIVALS.cells()
        if (cell.defence, cell.threat.name) == (DISCO[0.2], "black-box, one decoder")
    )
    assert game["defence"] == "Disco weight 0.2"
    assert float(game["eval_acc"]) == pytest.approx(share(cell))
    assert len(black) == len(LFW64.defences) + len(ADV_LEARNING) + len(DISCO)
    heat = {row["defence"] for row in csv.DictReader(drawn[14].rows.splitlines())}
    assert {"Disco weight 0.2", "AdversarialLearning weight 0.5", "Plain"} < heat


def test_what_a_cloud_learns_has_the_attack_with_as_many_decoders_as_there_are(
    tmp_path: Path,
) -> None:
    both = keep(tmp_path, LFW64, LFW64_RIVALS)
    learnt = (Plain(), TIPRDC[0.5])
    for number, defence in enumerate(learnt):
        one = record("Plain", None, "white-box", 0)
        outcome = dict.fromkeys(Developed.measures, 0.5)
        told = {"defence": describe.of_defence(defence), "threat": {"name": "attributes"}}
        put(both.results / "development" / f"{number}.json", replace(one, outcome=outcome, **told))
    (drawn,) = (one for one in redrawn.redrawn(both) if one.number == 9)
    rows = [*csv.DictReader(drawn.rows.splitlines())]
    assert {(row["defence"], row["threat"]) for row in rows} == {
        (name, threat) for name in ("Plain", "Tiprdc") for threat in ("white-box", "black-box")
    }
    for defence, name in zip(learnt, ("black-box", "black-box, one decoder"), strict=True):
        table = LFW64 if name == "black-box" else LFW64_RIVALS
        (cell,) = (
            cell
            for cell in table.cells()
            if (cell.defence, cell.threat.name, cell.seed) == (defence, name, 0)
        )
        (row,) = (
            row
            for row in rows
            if (row["defence"], row["threat"]) == (type(defence).__name__, "black-box")
        )
        assert float(row["eval_acc"]) == pytest.approx(share(cell))


def test_what_enc_is_to_misread_is_another_curve(tmp_path: Path) -> None:
    (drawn,) = (one for one in redrawn.redrawn(keep(tmp_path, LFW64_RIVALS)) if one.number == 16)
    rows = list(csv.DictReader(drawn.rows.splitlines()))
    assert {row["threat"] for row in rows} == {"white-box", "black-box", "hybrid"}
    labels = list(dict.fromkeys(row["defence"] for row in rows))
    fawkes = [label for label in labels if label.startswith("Fawkes")]
    assert fawkes == ["Fawkes mode high", "Fawkes mode low", "Fawkes mode mid", "Fawkes, encoder"]
    assert {"Plain", "Crafter", "Crafter, TaskUtility"} < set(labels)
    few = keep(tmp_path / "few", replace(LFW64_RIVALS, defences=LFW64_RIVALS.defences[:4]))
    assert 16 not in [one.number for one in redrawn.redrawn(few)]


def test_lessons_begin_with_the_basic_attack(kept: Kept) -> None:
    assert list(redrawn.epochs("white-box A1")) == [0, 20]
    assert list(redrawn.epochs("black-box A1")) == [0, 5, 10, 20, 40, 80]
    write_page(kept)
    rows = read(kept.docs / "figures/figure-12.csv")
    mine = [row["epochs"] for row in rows if row["defence"].startswith("StandIn")]
    assert mine[:6] == ["0", "5", "10", "20", "40", "80"]
    assert {row["threat"].partition(",")[0] for row in rows} == {"black-box", "black-box A1"}


def test_what_a_cloud_learns_stands_beside_what_attackers_see(kept: Kept) -> None:
    write_page(kept)
    rows = read(kept.docs / "figures/figure-9.csv")
    assert [(row["defence"], row["auc_of_f"]) for row in rows] == [
        (name, auc) for name, auc in (("Crafter", "0.890000"), ("Plain", "0.900000")) for _ in "12"
    ]
    assert "(AUC -0.010)" in lookups.development(kept)
    assert "StandIn" not in lookups.development(kept)


def test_look_ups_tell_what_the_records_hold(kept: Kept) -> None:
    def of(table: Table, number: int, threat: str) -> str:
        mine = (c for c in table.cells() if (c.defence, c.threat.name) == (SHOWN[number], threat))
        return f"{100 * share(next(mine)):.1f} %"

    white = of(LFW64, 2, "white-box")
    assert f"; Crafter {white} (AUC -0.010); " in lookups.grid("white-box")(kept)
    assert f"no defence {of(LFW64, 0, 'hybrid')}; " in lookups.grid("hybrid")(kept)
    assert f"{of(LFW64_AVERAGING, 4, 'white-box A3')} averaged" in lookups.averaging(kept)
    forty = of(LFW64_CURVE, 4, "black-box A1, 80 epochs")
    assert f"to {forty} in 80 epochs" in lookups.learning("black-box A1")(kept)
    assert lookups.as_figure_12(kept) == "as Figure 12"
    assert lookups.as_figure_12(Kept(kept.docs, kept.docs)) == ""
    assert lookups.strongest(kept).startswith("no defence ")
    assert "others" in lookups.others(kept)
    assert "Crafter with the paper's opponent 0.600 and 0.600" in lookups.generators(kept)
    private = of(LFW64_PRIORS, 1, "white-box A2, G1-500-exposed")
    assert f"{private} and X_pvt" in lookups.exposed(kept)
    assert "with Enc(X)" not in lookups.exposed(kept)  # nothing was exposed


def test_a_game_is_told_by_its_decoder_and_by_the_strongest_lesson(tmp_path: Path) -> None:
    def of(threat: str) -> float:
        (cell,) = (
            c for c in LFW64_RIVALS.cells() if (c.defence, c.threat.name) == (DISCO[0.6], threat)
        )
        return share(cell)

    look, (own, *lessons) = lookups.rival({"lambda 0.6": DISCO[0.6]}), lookups.DECODERS
    most = max(of(name) for name in lessons)
    told = f"lambda 0.6: {100 * of(own):.1f} % to {100 * most:.1f} % (SSIM 0.60, AUC -0.010)"
    assert told in look(keep(tmp_path / "all", LFW64_RIVALS))
    before = [one for one in LFW64_RIVALS.threats if one.name not in lessons]
    basic = keep(tmp_path / "basic", replace(LFW64_RIVALS, threats=tuple(before)))
    assert f"lambda 0.6: {100 * of(own):.1f} %, A1 not measured" in look(basic)
    assert look(keep(tmp_path / "none", LFW64)) == ""


def test_what_a_rival_costs_is_the_least_that_was_measured(tmp_path: Path) -> None:
    look = lookups.cost({"lambda 0.6": DISCO[0.6], "other": DISCO[0.8]})
    table = replace(LFW64_RIVALS, defences=(DISCO[0.6],))
    kept = keep(tmp_path, table)
    assert look(kept) == "lambda 0.6: 1.5 (CPU)"
    fast = made(table.cells()[0])
    fast = replace(fast, outcome={**fast.outcome, "seconds": 0.25}, machine={"gpu": "G"})
    Store(kept.results, kept.results).write(f"{0:016}", fast)
    assert look(Kept(kept.results, kept.docs)) == "lambda 0.6: 0.25 (G)"


def test_epsilon_is_held_against_each_measure(kept: Kept) -> None:
    told = lookups.orders(kept)  # epsilon goes with Eval Acc here; the other two never change
    assert "Crafter, TaskUtility, white-box" in told
    lines = redrawn.by_epsilon(kept)
    for line in lines.values():
        epsilon = [point["pii"].mean for point in line]
        assert epsilon == sorted(epsilon)
        assert len(line) >= redrawn.SEVERAL
    assert rank_correlation([1, 2, 3], [2, 5, 9]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [4, 4, 4]) == 0
    assert rank_correlation([1, 2, 3], [9, 5, 2]) == pytest.approx(-1)


def test_seconds_are_those_of_the_benchmarks_page(tmp_path: Path) -> None:
    table = markdown(["feature", "image", "default, here"], [["64 x 16", "64", "0.1"]])
    text = f"<!-- table7: written by it -->\n\n{table}\n\nMore | of | it.\n<!-- /table7 -->\n"
    (tmp_path / "performance.md").write_text(f"| other | table |\n{text}")
    assert lookups.seconds(Kept(tmp_path, tmp_path)) == "(64 x 16): 0.1 s"
    (tmp_path / "performance.md").write_text("# Nothing\n")
    assert lookups.seconds(Kept(tmp_path, tmp_path)) == ""


def test_what_is_shown_is_in_the_tables() -> None:
    assert set(SHOWN) <= set(LFW64.defences)
    assert set(SHOWN) <= set(LFW64_ADAPTIVE.defences)
    assert set(SHOWN) == set(LFW64_PRIORS.defences) == set(LFW64_CURVE.defences)


def test_a_spread_is_over_seeds_and_of_one_threat() -> None:
    (cell,) = (c for c in cells(LFW64) if (c.defence, c.threat.name) == (SHOWN[0], "hybrid"))
    one = made(cell)
    two = replace(one, seed=1, outcome={**one.outcome, "eval_acc": share(cell) + 0.02})
    found = spread([one, two], SHOWN[0], "hybrid")
    assert found is not None
    assert (found.mean, found.count) == (pytest.approx(share(cell) + 0.01), 2)
    assert spread([one, two], SHOWN[0], "white-box") is None
    assert spread([one, two], SHOWN[0], "hybrid", "tar_1") is None
