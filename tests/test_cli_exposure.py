"""`facecrafter expose`: on a tiny scene in the place of LFW."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.commands import exposure, measurement
from facecrafter.data.faces import Splits
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.paper import exposure_page
from facecrafter.paper.exposure import Exposure, Setting
from facecrafter.paper.exposure_results import Results
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tiny import PEOPLE, tiny

QUICK = Exposure("original", rounds=2, restarts=1, widths=(4,), epochs=1, batch=6)
WORDS = ("expose", "--root", "LFW")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two defences on the tiny scene; its people's other photographs are exposed."""

    def scene(*_: object) -> Scene:
        return tiny()

    def splits(*_: object) -> Splits:
        return synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE)

    monkeypatch.setattr(measurement, "lfw64", scene)
    monkeypatch.setattr(measurement, "lfw", splits)
    for module in (exposure, exposure_page):
        monkeypatch.setattr(module, "DEFENCES", (Plain(), Noise(1.0)))
    monkeypatch.setattr(exposure, "EXPOSURES", (QUICK, replace(QUICK, kind="protected")))


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("expose", "--help")
    assert code == 0
    assert "Example: facecrafter expose" in out
    for told in ("Table VIII", "goes on where it was stopped", "--spot-check", "folder that holds"):
        assert told in " ".join(out.replace("│", " ").split())
    assert "expose" in run("--help")[1]


def test_it_measures_once_and_writes_the_page(run: Run) -> None:
    code, out, err = run(*WORDS, "--defences", "Noise", "--json")
    facts = json.loads(out)
    assert code == 0
    assert not err
    assert (facts["measured"], facts["kept"]) == (2, 0)
    assert "| Plain |" not in Path(facts["page"]).read_text()
    code, out, err = run(*WORDS)
    assert code == 0
    assert "2 measured, 2 were there" in out
    assert "[1/2] Plain(), original features: top-1" in err
    assert "s left" in err
    page = Path("docs/exposure.md").read_text()
    assert page.index("| Plain |") < page.index("| Noise |")  # as the table has them
    names = [path.name for path in sorted(Path("results/exposure").iterdir())]
    kinds = ("original", "protected")
    expected = [f"tiny_{name}_{kind}_0_" for name in ("Noise", "Plain") for kind in kinds]
    assert [name[: len(told)] for name, told in zip(names, expected, strict=True)] == expected


def test_a_kind_and_a_seed_can_be_asked_for(run: Run) -> None:
    code, out, _ = run(*WORDS, "--kind", "protected", "--seed", "3", "--json", "--results", "other")
    assert code == 0
    assert json.loads(out)["measured"] == 2
    records = Results(Path("other")).all()
    assert {(record.threat["name"], record.seed) for record in records} == {("protected", 3)}


def test_a_defence_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    code, _, err = run(*WORDS, "--defences", "Nonsense")
    assert code == 1
    assert "'Nonsense'" in err
    assert "Plain()" in err
    assert "Noise(deviation=1.0)" in err


def test_a_damaged_result_is_named(run: Run) -> None:
    assert run(*WORDS, "--defences", "Plain", "--kind", "original", "--quiet")[0] == 0
    (path,) = Path("results/exposure").iterdir()
    path.write_text(path.read_text()[:100])
    code, _, err = run(*WORDS)
    assert code == 1
    assert path.name in err
    assert "Traceback" not in err


def test_ctrl_c_keeps_what_was_measured(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Results.measure

    def stopped(self: Results, setting: Setting) -> Record:
        if isinstance(setting.defence, Noise):
            raise KeyboardInterrupt
        return measure(self, setting)

    monkeypatch.setattr(Results, "measure", stopped)
    code, _, err = run(*WORDS)
    assert code == 130
    assert "Traceback" not in err
    assert len(list(Path("results/exposure").iterdir())) == 2
    assert "| Plain |" in Path("docs/exposure.md").read_text()
