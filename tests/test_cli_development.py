"""`facecrafter develop`: on a tiny scene in the place of LFW."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.commands import development, measurement
from facecrafter.data.faces import Faces, Splits
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.paper import development_page
from facecrafter.paper.development import Development, Setting
from facecrafter.paper.development_results import Results
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record
from facecrafter.paper.tiny import PEOPLE, tiny

QUICK = Development("attributes", 2, networks=1, widths=(4,), epochs=1, batch=6)
WORDS = ("develop", "--root", "LFW")


def expressive(faces: Faces) -> Faces:
    words = ("neutral", "happiness", "anger") * len(faces)
    return replace(faces, emotions=words[: len(faces)])


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two defences on the tiny scene; its people's other photographs are collected."""

    def scene(*_: object) -> Scene:
        small = tiny()
        assert small.public is not None
        test, public = expressive(small.private_test), expressive(small.public)
        return replace(small, private_test=test, public=public)

    def splits(*_: object) -> Splits:
        made = synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE)
        return replace(made, private_train=expressive(made.private_train))

    monkeypatch.setattr(measurement, "lfw64", scene)
    monkeypatch.setattr(measurement, "lfw", splits)
    for module in (development, development_page):
        monkeypatch.setattr(module, "DEFENCES", (Plain(), Noise(1.0)))
    monkeypatch.setattr(development, "DEVELOPMENTS", (QUICK, replace(QUICK, task="expression")))


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("develop", "--help")
    assert code == 0
    assert "Example: facecrafter develop" in out
    for told in (
        "Fig. 9",
        "goes on where it was stopped",
        "--spot-check",
        "--bundle",
        "what f is trained for",
        "emotions.csv",
    ):
        assert told in " ".join(out.replace("│", " ").split())
    assert "develop" in run("--help")[1]


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
    assert "[1/2] Plain(), attributes: AUC " in err
    assert "s left" in err
    page = Path("docs/development.md").read_text()
    assert page.index("| Plain |") < page.index("| Noise |")  # as the table has them
    assert page.index("## Attributes") < page.index("## Expression")
    names = [path.name for path in sorted(Path("results/development").iterdir())]
    tasks = ("attributes", "expression")
    expected = [f"tiny_{name}_{task}_0_" for name in ("Noise", "Plain") for task in tasks]
    assert [name[: len(told)] for name, told in zip(names, expected, strict=True)] == expected


def test_a_task_and_a_seed_can_be_asked_for(run: Run) -> None:
    words = ("--task", "expression", "--seed", "3", "--json", "--results", "other")
    code, out, _ = run(*WORDS, *words)
    assert code == 0
    assert json.loads(out)["measured"] == 2
    records = Results(Path("other")).all()
    assert {(record.threat["name"], record.seed) for record in records} == {("expression", 3)}


def test_a_defence_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    code, _, err = run(*WORDS, "--defences", "Nonsense")
    assert code == 1
    assert "'Nonsense'" in err
    assert "Noise(deviation=1.0)" in err


def test_an_option_that_is_not_there_is_refused(run: Run) -> None:
    code, _, err = run(*WORDS, "--kind", "protected")
    assert code == 2
    assert "--kind" in err
    assert "Traceback" not in err


def test_a_damaged_result_is_named(run: Run) -> None:
    assert run(*WORDS, "--defences", "Plain", "--task", "attributes", "--quiet")[0] == 0
    (path,) = Path("results/development").iterdir()
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
    assert len(list(Path("results/development").iterdir())) == 2
    assert "| Plain |" in Path("docs/development.md").read_text()
