"""`facecrafter augment`: on a small scene in the place of LFW."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.commands import augmentation, measurement
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.paper import augmentation_page
from facecrafter.paper.augmentation import SOURCES, Augmentation
from facecrafter.paper.development import Development
from facecrafter.paper.tiny import tiny

QUICK = Development("attributes", 2, networks=1, widths=(4,), epochs=1, batch=6)
SPLITS = synthetic_splits(0, people=20, photographs=6, private_people=4)
WORDS = ("augment", "--root", "LFW")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two defences on painted faces; the untrained networks are those of the tiny scene."""
    monkeypatch.setattr(measurement, "lfw64", lambda *_: replace(tiny(), public=SPLITS.public))
    monkeypatch.setattr(measurement, "lfw", lambda *_: SPLITS)
    for module in (augmentation, augmentation_page):
        monkeypatch.setattr(module, "DEFENCES", (Plain(), Noise(1.0)))
    asked = tuple(Augmentation(source, ("Smiling",), QUICK) for source in SOURCES)
    monkeypatch.setattr(augmentation, "AUGMENTATIONS", asked)


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("augment", "--help")
    assert code == 0
    for told in ("Example: facecrafter augment", "VI-B", "goes on where it was stopped"):
        assert told in " ".join(out.replace("│", " ").split())
    assert "augment" in run("--help")[1]


def test_it_measures_once_and_public_faces_alone_once_for_all(run: Run) -> None:
    code, out, _ = run(*WORDS, "--defences", "Noise", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 1)
    code, out, err = run(*WORDS)
    assert code == 0
    assert "2 measured, 1 were there" in out
    assert "[1/2] Plain(), public: AUC " in err
    assert "of what was removed" in err
    names = sorted(path.name for path in Path("results/augmentation").iterdir())
    told = ["tiny_Noise_both_0_", "tiny_Plain_both_0_", "tiny_Plain_public_0_"]
    assert [name[: len(one)] for name, one in zip(names, told, strict=True)] == told
    assert "| Noise |" in Path("docs/augmentation.md").read_text()


def test_a_defence_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    code, _, err = run(*WORDS, "--defences", "Nonsense")
    assert code == 1
    assert "Noise(deviation=1.0)" in err
