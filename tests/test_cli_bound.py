"""`facecrafter bound`: on a tiny scene in the place of LFW."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.commands import bound, measurement
from facecrafter.data.faces import Splits
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.paper import bound_page, bound_results
from facecrafter.paper.bound import theorem_1
from facecrafter.paper.bound_results import FAMILIES, Effort, Results, Setting
from facecrafter.paper.bound_sums import at_least, at_most, sums
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.paper.tables.bound import DELTA
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import PEOPLE, tiny

WORDS = ("bound", "--root", "LFW")
QUICK = Effort(batches=2, draws=6, ascents=2, steps=3, width=2, training=3)
SEARCH = Threat("white-box", LatentSearch(Descent(2, 0.1), restarts=2))
DEFENCES = (Noise(1.0), Noise(2.0))


@cache
def scene() -> Scene:
    return replace(tiny(), name=LFW64.scene)


@cache
def splits() -> Splits:
    return synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    def effort(batches: int) -> Effort:
        return replace(QUICK, batches=batches)

    monkeypatch.setattr(measurement, "lfw64", lambda *_: scene())
    monkeypatch.setattr(measurement, "lfw", lambda *_: splits())
    monkeypatch.setattr(bound_results, "THREATS", (SEARCH,))
    monkeypatch.setattr(bound, "Effort", effort)
    monkeypatch.setattr(bound, "DEFENCES", DEFENCES)
    monkeypatch.setattr(bound_page, "DEFENCES", DEFENCES)


def records() -> list[Record]:
    return Results(Path("results/bound")).of(DEFENCES)


def test_it_measures_once_and_writes_a_page_that_is_the_same_again(run: Run) -> None:
    code, out, err = run(*WORDS, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["measured"], facts["kept"]) == (2, 0)
    page = Path(facts["page"])
    before, text = page.read_bytes(), page.read_text()
    first, _ = records()
    found = sums(first, "1-Lipschitz")
    flat = " ".join(text.split())
    assert f"no more than **{found.printed:.1f}** above the best" in flat
    assert f"Epsilon itself is **{1000 * first.outcome['epsilon']:.2f}**" in flat
    assert "## What does not follow" in text
    assert "who is recognised\n" not in text  # no cell was measured
    page.unlink()
    assert json.loads(run(*WORDS, "--json")[1])["kept"] == 2
    assert page.read_bytes() == before


def test_a_measurement_is_repeatable_and_its_terms_from_below_are_below(tmp_path: Path) -> None:
    settings = [Setting(Noise(1.0), QUICK, seed, scene()) for seed in (0, 0, 1)]
    one, same, other = (
        Results(tmp_path / str(number)).measure(setting) for number, setting in enumerate(settings)
    )
    assert one.outcome == same.outcome
    assert one.outcome["terms"] != other.outcome["terms"]
    assert settings[0].key == settings[1].key != settings[2].key
    assert (one.outcome["batch"], one.outcome["faces"]) == (5, 9)
    for family in FAMILIES:
        for count in (5, 9):
            least, most = at_least(one, family, count), at_most(one, family, count)
            assert theorem_1(least, DELTA) <= theorem_1(most, DELTA)
        found = sums(one, family)
        assert 0 < found.printed < found.summed
        assert found.error <= found.error_most
    assert one.outcome["floor"] > 0
    assert 0 < one.outcome["epsilon"] <= one.outcome["unmatched"]


def test_measured_epsilons_stand_beside_what_is_recognised(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = replace(LFW64, defences=DEFENCES, threats=(SEARCH,), seeds=(0,))
    store = Store(Path("results"), Path("work"))
    found = [measure(cell, scene(), store) for cell in mine.cells()]
    monkeypatch.setattr(bound_page, "LFW64", mine)
    assert run(*WORDS, "--quiet")[0] == 0
    text = Path("docs/bound.md").read_text()
    assert "(figures/bound.svg)" in text
    for record in found:
        told = f"| Noise deviation {record.defence['deviation']:g} | "
        assert f"{told}{1000 * record.outcome['pii']:.3f} |" in text
    rows = Path("docs/figures/bound.csv").read_text().splitlines()
    assert len(rows) == 1 + len(DEFENCES)
    figure = Path("docs/figures/bound.svg").read_bytes()
    assert run(*WORDS, "--quiet")[0] == 0
    assert Path("docs/figures/bound.svg").read_bytes() == figure


def test_more_batches_than_there_are_is_an_error(run: Run) -> None:
    code, _, err = run(*WORDS, "--batches", 3)
    assert code == 1
    assert "batches=3: the scene has 2" in err
    with pytest.raises(SettingError, match="1 or more"):
        Effort(draws=0)
    code, _, err = run(*WORDS, "--defences", "Nothing")
    assert code == 1
    assert "no defence holds 'Nothing'" in err


def test_a_damaged_result_is_named(run: Run) -> None:
    assert run(*WORDS, "--quiet", "--defences", "1.0")[0] == 0
    path = sorted(Path("results/bound").glob("*.json"))[0]
    path.write_text(path.read_text().replace('"epsilon"', '"other"'))
    code, _, err = run(*WORDS, "--defences", "1.0")
    assert code == 1
    assert path.name in err
    assert "facecrafter bound" in err


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("bound", "--help")
    assert code == 0
    assert "Example: facecrafter bound" in out
