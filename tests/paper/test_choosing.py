"""Which defence to take, from what was measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from facecrafter.defences.adv_face import AdvFace
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.dropout import Dropout
from facecrafter.defences.fawkes import Fawkes
from facecrafter.defences.plain import Plain
from facecrafter.defences.remembered import Remembered
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.steered import Steered
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper import choosing_page, describe
from facecrafter.paper.cells import Table
from facecrafter.paper.choosing import (
    BASIC,
    LEARNT,
    OWN,
    SHARPER,
    TABLES,
    Choice,
    Needs,
    beaten,
    best,
    choices,
    frontier,
    needs,
)
from facecrafter.paper.choosing_page import CORE, render, sentence, write_page
from facecrafter.paper.kept import Kept
from facecrafter.paper.store import Record, Store
from made_records import RECORDS

PROJECT = Path(__file__).parents[2]
PLAIN, GAME, STAND_IN = Plain(), AdversarialLearning(0.8), StandIn()
WEAK, STRONG = Crafter(0.01), Crafter(0.001)
TABLE = replace(TABLES[0], scene="tiny", defences=(PLAIN, GAME, STAND_IN, WEAK, STRONG))


def made(defence: AbstractDefence, auc: float, worst: float, *threats: str) -> list[Record]:
    """Under `threats`, of which the last is the strongest."""
    first, found = RECORDS[0], list[Record]()
    for behind, name in enumerate(reversed(threats or CORE)):
        hits = "1" * round(100 * (worst - behind / 100))
        outcome = {**first.outcome, "auc": auc, "eval_acc": len(hits) / 100}
        outcome["recognised"] = hits.ljust(100, "0")
        told = describe.of_defence(defence)
        found.append(replace(first, defence=told, threat={"name": name}, outcome=outcome))
    return found


def chosen(*records: list[Record], table: Table = TABLE) -> dict[str, Choice]:
    """By name of the defence and what tells it from others of its kind."""
    found = choices([one for some in records for one in some], (table,))
    return {one.label: one for one in found}


MEASURED = (
    made(PLAIN, 0.95, 0.9),
    made(WEAK, 0.92, 0.8),
    made(STRONG, 0.88, 0.6),
    made(GAME, 0.93, 0.7),
    made(STAND_IN, 0.91, 0.3),
)


def test_the_worst_case_is_of_attacks_that_all_have_in_common() -> None:
    told = chosen(*MEASURED, made(GAME, 0.93, 0.99, "rMLE"))
    game = told["AdversarialLearning"]
    assert game.worst(CORE) == pytest.approx(0.7)
    assert max(game.known(game.tried)) == pytest.approx(0.99)
    assert len(game.tried) == len(CORE) + 1
    assert game.auc == pytest.approx(0.93)


def test_what_was_not_attacked_whole_has_no_worst_case() -> None:
    told = chosen(made(PLAIN, 0.95, 0.9), made(WEAK, 0.92, 0.1, *CORE[1:]))
    assert told["Crafter"].worst(CORE) is None
    assert told["Crafter"].worst(LEARNT) == pytest.approx(0.1)
    assert frontier(list(told.values()), CORE) == [told["Plain"]]
    assert best(list(told.values()), CORE, tuple(Needs)) is None


def test_three_decoders_stand_for_one() -> None:
    names = [name.removesuffix(", one decoder") for name in CORE]
    told = chosen(made(PLAIN, 0.95, 0.9, *names))
    assert told["Plain"].worst(BASIC) == pytest.approx(0.88)


def test_of_what_drops_values_the_search_counts_that_leaves_them_out() -> None:
    table = replace(TABLE, defences=(PLAIN, Dropout(0.5)))
    plain, dropped = made(PLAIN, 0.95, 0.9), made(Dropout(0.5), 0.93, 0.2)
    naive = chosen(plain, dropped, table=table)["Dropout"]
    assert naive.worst(BASIC) is None  # the searches that know it were not measured
    assert naive.worst(LEARNT) == pytest.approx(0.2)
    sharp = made(Dropout(0.5), 0.93, 0.7, *SHARPER)
    told = chosen(plain, dropped, sharp, table=table)
    assert told["Dropout"].worst(BASIC) == pytest.approx(0.7)
    assert told["Plain"].worst(BASIC) == pytest.approx(0.88)  # asked nothing of the kind
    assert SHARPER == ("white-box, where sent", "hybrid, one decoder, where sent")


def test_a_defence_that_nobody_learnt_from_is_left_out() -> None:
    assert chosen(made(PLAIN, 0.95, 0.9), made(WEAK, 0.92, 0.1, *BASIC)).keys() == {"Plain"}
    assert chosen(made(WEAK, 0.92, 0.1), table=replace(TABLE, defences=(PLAIN,))) == {}


def test_who_asks_again_does_not_count() -> None:
    told = chosen(made(PLAIN, 0.95, 0.9), made(PLAIN, 0.95, 1.0, "black-box A3"))
    assert max(told["Plain"].known(told["Plain"].tried)) == pytest.approx(0.9)


def test_the_frontier_has_what_nothing_beats() -> None:
    told = chosen(*MEASURED)
    edge = frontier(list(told.values()), CORE)
    assert [one.label for one in edge] == ["StandIn", "AdversarialLearning", "Plain"]


def test_the_best_needs_no_more_and_loses_no_more() -> None:
    found = list(chosen(*MEASURED).values())
    assert [one and one.label for one in (best(found, CORE, (kind,)) for kind in Needs)] == [
        "Crafter beta 0.01",  # the other loses .07
        None,
        "StandIn",
        "AdversarialLearning",
    ]
    assert best(found, CORE, (Needs.NOTHING,), drop=0.07) is found[2]
    assert best(found, CORE, (Needs.NOTHING,), drop=0.01) is None
    assert best(found[1:], CORE, tuple(Needs)) is None  # below what?


def test_a_defence_of_others_that_beats_crafter_is_named() -> None:
    found = list(chosen(*MEASURED).values())
    assert [(one.label, other.label) for one, other in beaten(found)] == [
        ("Crafter beta 0.01", "AdversarialLearning")
    ]
    told = render(found)
    assert "| Crafter beta 0.01 | 0.920 | 80.0 % | AdversarialLearning | 0.930 | 70.0 % |" in told
    less = list(chosen(*MEASURED[:3], made(GAME, 0.91, 0.7)).values())
    assert [one.label for one, _ in beaten(less)] == []  # as private, but less useful
    assert "Nowhere: " in render(less)


def test_what_each_needs() -> None:
    assert needs(Remembered(Steered(Crafter()))) is Needs.NOTHING
    assert needs(Remembered(Crafter(utility=TaskUtility()))) is Needs.SURROGATE
    assert needs(STAND_IN) is Needs.SURROGATE
    assert needs(GAME) is Needs.CLOUD
    assert needs(Remembered(Fawkes())) is Needs.EQUIPMENT
    assert needs(AdvFace()) is Needs.EQUIPMENT


def test_the_cost_is_a_cpus_where_one_was_asked() -> None:
    first, *others = made(WEAK, 0.92, 0.8)
    gpu = [replace(one, machine={"gpu": "G"}) for one in others]
    slow = [replace(one, outcome={**one.outcome, "seconds": 0.1}) for one in gpu]
    assert chosen([first], slow)["Crafter"].cost == (1.5, "CPU")
    assert chosen(slow)["Crafter"].cost == (0.1, "GPU")


def test_none_of_these_is_an_answer() -> None:
    told = render(list(chosen(*MEASURED).values()))
    assert "**Against an attacker who has the defence and learns from it: none of these.**" in told
    assert "StandIn, leaves 30.0 %" in told
    hidden = render(list(chosen(*MEASURED[:3], made(STAND_IN, 0.91, 0.1)).values()))
    assert "none of these" not in hidden
    assert "**Against an attacker who never saw the defence: StandIn.**" in hidden
    missing = render(
        list(chosen(made(PLAIN, 0.95, 0.9), made(WEAK, 0.92, 0.1, *CORE[1:])).values())
    )
    assert "not all measured (at least 10.0 %)" in missing
    assert "none was measured" in missing


def test_the_page_is_written_once_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing_page, "choices", lambda found: choices(found, (TABLE,)))
    kept = Kept(tmp_path / "results", tmp_path / "docs")
    store = Store(kept.results, tmp_path)
    assert sentence([]) == []
    for number, one in enumerate(one for some in MEASURED for one in some):
        store.write(f"{number:016}", one)
    page = write_page(kept)
    assert page
    files = sorted(path for path in kept.docs.rglob("*") if path.is_file())
    assert [path.name for path in files] == [
        "how-to-choose.csv",
        "how-to-choose.svg",
        "how-to-choose.md",
    ]
    before = [path.read_bytes() for path in files]
    write_page(Kept(kept.results, kept.docs))
    assert [path.read_bytes() for path in files] == before
    assert sentence(kept.cells)[0].startswith("**A defence of others beats Crafter**")


def test_the_page_of_the_project_is_that_of_its_results() -> None:
    found = choices(Kept(PROJECT / "results", PROJECT / "docs").cells)
    assert (PROJECT / "docs" / choosing_page.PAGE).read_text() == render(found)
    figures = PROJECT / f"docs/figures/{choosing_page.PICTURE}.csv"
    assert figures.read_text() == choosing_page._csv(found)


def test_with_nothing_to_choose_from_nothing_is_written(tmp_path: Path) -> None:
    assert write_page(Kept(tmp_path / "results", tmp_path / "docs")) is None
    assert not (tmp_path / "docs").exists()


def test_every_defence_is_of_somebody() -> None:
    """A new one of ours that is not told so would be called a defence of others."""
    names = {type(one).__name__ for table in TABLES for one in table.defences}
    assert set(OWN) - names == {"Remembered", "Shuffled"}  # wrappers, in the table of averaging
