"""Table XIV: which of two numbers steers Crafter-z, from records made by hand."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from facecrafter.paper.coefficients import (
    REPORTED,
    Found,
    Seen,
    Setting,
    draw,
    has_section,
    measured,
    section,
    slopes,
    verdict,
)
from facecrafter.paper.store import Record
from facecrafter.paper.tables.crafter_z import BETAS, LFW64_CRAFTER_Z, RATES
from made_records import record

SOME = ((0.01, 2.0, 0.5), (0.01, 5.0, 0.52), (0.1, 2.0, 0.1), (0.1, 5.0, 0.16))


def searched(rate: float, beta: float, share: float, threat: str = "white-box") -> Record:
    """A record of Crafter-z."""
    plain = record("Plain", None, threat, 0)
    recipe = {"name": "CrafterZ", "beta": beta, "rate": rate, "steps": 40}
    outcome = {**plain.outcome, "eval_acc": share, "auc": 0.9 - share / 10}
    return replace(plain, defence=recipe, outcome=outcome)


RECORDS = [searched(*one) for one in SOME]


def found(*shares: float) -> Found:
    """Both turned to twice their value."""
    settings = [Setting(rate, beta) for rate in (0.01, 0.02) for beta in (2.0, 4.0)]
    told = zip(settings, shares, strict=True)
    return {(setting, "white-box"): Seen(share, 0.9) for setting, share in told}


def test_the_papers_own_figures_give_the_papers_finding() -> None:
    assert "holds here" in verdict(REPORTED)
    doublings = math.log2(2.5)
    changes = {1e-4: 0.0183, 5e-4: 0.0208, 1e-3: 0.0287}
    slope = {rate: change / doublings for rate, change in changes.items()}
    assert slopes(REPORTED, "beta") == pytest.approx(slope)
    slope = {20: 0.2838 / math.log2(10), 50: 0.3308 / math.log2(10)}
    assert slopes(REPORTED, "rate") == pytest.approx(slope)
    assert len(REPORTED) == 12


def test_a_beta_that_matters_is_told() -> None:
    assert "holds here" in verdict(found(0.50, 0.55, 0.10, 0.15))
    part = verdict(found(0.50, 0.55, 0.05, 0.45))
    assert "holds in part" in part
    assert "At lr_z 0.01 it does hold" in part
    assert "10.0 to 45.0 points, beta by 5.0 to 40.0" in part
    assert "does hold" not in verdict(found(0.10, 0.50, 0.05, 0.45))


def test_seeds_are_one_figure_and_other_defences_none() -> None:
    other = replace(RECORDS[0], seed=1, outcome={**RECORDS[0].outcome, "eval_acc": 0.6})
    both = measured([*RECORDS, other, record("Noise", 1.0, "white-box", 0)])
    assert both[Setting(0.01, 2.0), "white-box"].eval_acc == pytest.approx(0.55)
    assert len(both) == 4


def test_there_is_a_section_where_each_was_turned_alone(tmp_path: Path) -> None:
    for few in (RECORDS[:2], RECORDS[::2], [RECORDS[0], RECORDS[3]], []):
        assert not has_section(few)
        assert section(few, "f") == []
        draw(few, tmp_path / "f.svg", "Tiny")
    assert not list(tmp_path.iterdir())
    text = "\n".join(section(RECORDS, "figures/f"))
    assert "(figures/f.csv)" in text
    assert "| 0.01 | 2 | 50.00 % | not run | 0.8500 |" in text
    assert "| 0.0001 | 20 | 34.11 % | 10.16 % | 0.9133 |" in text
    assert "| Eval Acc, rate | 10.8 to 12.0 | 8.5 to 10.0 |" in text
    assert "rate by 10 and beta by 2.5 here, rate by 10 and beta by 2.5 in the paper" in text
    assert verdict(measured(RECORDS)) in text


def test_the_figure_has_measured_and_reported_points(tmp_path: Path) -> None:
    draw([*RECORDS, searched(0.1, 2.0, 0.3, "black-box")], tmp_path / "f.svg", "Tiny")
    rows = list(csv.DictReader((tmp_path / "f.csv").read_text().splitlines()))
    assert len(rows) == 5 + len(REPORTED)
    assert rows[0] == {
        "source": "measured",
        "lr_z": "0.01",
        "beta": "2.0",
        "threat": "white-box",
        "eval_acc": "0.500000",
        "auc": "0.850000",
    }
    assert b"<svg" in (tmp_path / "f.svg").read_bytes()


def test_the_table_turns_the_rate_by_the_papers_factors_and_beta_by_another() -> None:
    settings = {Setting(d.rate, d.beta) for d in LFW64_CRAFTER_Z.defences[1:]}  # type: ignore
    assert settings == {Setting(rate, beta) for rate in RATES for beta in BETAS}
    assert [rate / RATES[0] for rate in RATES] == pytest.approx([1, 5, 10])
    assert len(BETAS) == len({setting.beta for setting, _ in REPORTED})
    assert [threat.name for threat in LFW64_CRAFTER_Z.threats] == ["white-box", "black-box"]
