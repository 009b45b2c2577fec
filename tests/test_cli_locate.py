"""`facecrafter locate`: on a tiny scene in the place of LFW."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.commands import locate, measurement
from facecrafter.data.faces import Splits
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.paper import lookups
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tiny import PEOPLE, tiny

WORDS = ("locate", "--root", "LFW")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    def scene(*_: object) -> Scene:
        return replace(tiny(), name=LFW64.scene)

    def splits(*_: object) -> Splits:
        return synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE)

    monkeypatch.setattr(measurement, "lfw64", scene)
    monkeypatch.setattr(measurement, "lfw", splits)
    monkeypatch.setattr(locate, "DEFENCES", (Noise(1.0), Noise(2.0)))
    monkeypatch.setattr(lookups, "SHOWN", {"Some noise": Noise(1.0)})


def test_it_measures_once_and_draws_figure_5(run: Run) -> None:
    code, out, err = run(*WORDS, "--json")
    facts = json.loads(out)
    assert code == 0, err
    assert (facts["measured"], facts["kept"]) == (2, 0)
    page = Path(facts["page"]).read_text()
    told = re.search(r"of it are (\S+) apart: no defence (\S+); Some noise (\S+) \|", page)
    assert told
    kept = [json.loads(path.read_text()) for path in Path("results/responses").glob("*.json")]
    (one,) = (Record(**found) for found in kept if found["defence"]["deviation"] == 1.0)
    names = ("floor", "original", "protected")
    assert list(told.groups()) == [f"{one.outcome[name]:.1f}" for name in names]
    assert "(figures/figure-5.svg)" in page
    rows = Path("docs/figures/figure-5.csv").read_text().splitlines()
    assert rows[0] == "defence,kind,first,second"
    assert len(rows) == 1 + 2 * 3 * 5  # defences, kinds, faces of the first batch
    before = Path(facts["page"]).read_bytes()
    assert json.loads(run(*WORDS, "--json")[1])["kept"] == 2
    assert Path(facts["page"]).read_bytes() == before


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("locate", "--help")
    assert code == 0
    assert "Example: facecrafter locate" in out
