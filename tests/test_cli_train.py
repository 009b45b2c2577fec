"""The command line's training: every part, a bundle of them, and what may go wrong."""

import errno
import json
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from torch import Generator

from command_line import Run
from facecrafter.bundle import load
from facecrafter.commands import assemble, networks
from facecrafter.commands.card import card as model_card
from facecrafter.commands.figures import utility
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.training import checkpoints, target
from facecrafter.training.batches import varied
from facecrafter.training.restore import restore
from facecrafter.types import Images
from small_bundle import QUICK

DATA = ("--data", "synthetic", "--people", "8", "--photographs", "4")
WIDTHS = ("--widths", "4", "4", "4", "4")
TARGET = ("train", "target", *DATA, *WIDTHS, "--epochs", "1", "--batch", "8", "--rate", "0.001")
PRIOR = ("--latent-dim", "5", "--width", "2", "--critic-width", "2", "--warm-epochs", "1")
SURROGATE = ("--widths", "4", "4", "4", "--attributes", "Smiling", "Eyeglasses")
JUDGE = ("--depth", "18", "--start", "runs/target")
PARTS = (
    TARGET,
    ("train", "prior", *DATA, *PRIOR, "--batch", "4", "--steps", "1", "--critic-steps", "1"),
    ("train", "critic", *DATA, "--width", "2", "--steps", "1", "--batch", "4"),
    ("train", "decoder", *DATA, "--width", "24", "--epochs", "1", "--batch", "8"),
    ("train", "amortiser", "--width", "2", "--steps", "2", "--batch", "4"),
    ("train", "surrogate", *DATA, *SURROGATE, "--epochs", "1", "--batch", "8"),
    ("train", "judge", *DATA, *WIDTHS, *JUDGE, "--epochs", "1", "--batch", "2"),
)


def test_every_part_trains_and_the_bundle_protects(run: Run, photos: Path) -> None:
    for words in PARTS:
        code, out, err = run(*words, "--json")
        assert code == 0, err
        folder = Path(json.loads(out)["out"])
        assert list(folder.rglob("losses.png"))
    code, out, err = run(
        *("train", "bundle", *DATA, "--out", "bundles/small", "--json"),
        *("--amortiser", "runs/amortiser", "--critic", "runs/critic"),
        *("--surrogate", "runs/surrogate"),
    )
    assert code == 0, err
    figures = json.loads(out)
    assert 0 <= figures["mean_auc"] <= 1
    assert 0 <= figures["judge_accuracy"] <= 1
    card = Path("bundles/small/README.md").read_text()
    assert "TargetTraining(" in card
    assert str(figures["mean_auc"]) in card
    assert "synthetic 1" not in card
    assert "The judge starts from the target's weights" in card
    assert "warm start alone" not in card  # one step of WGAN-GP
    commands = re.findall(r"^    facecrafter (train .*?)  # \d+ s$", card, re.MULTILINE)
    assert len(commands) == len(PARTS)
    for command in commands:  # the very same recipes: nothing is trained again, nor refused
        data = () if "amortiser" in command else DATA[2:]
        code, _, err = run(*command.split(), *data)
        assert code == 0, err
    stored = json.loads(Path("bundles/small/config.json").read_text())
    assert stored["parts"]["target"]["dtype"] == "float16"
    splits = synthetic_splits(0, 8, 4, 64, 2)
    target = load(Path("bundles/small")).need("target")
    again = utility(target, splits.private_test, torch.device("cpu"))
    assert figures["mean_auc"] == round(again.mean, 4)
    assert Path("bundles/small-prior.png").exists()
    assert run("protect", photos, "--bundle", "bundles/small", *QUICK)[0] == 0
    assert run("verify", photos, "--bundle", "bundles/small", *QUICK)[0] in (0, 3)
    _a_bundle_of_a_bundle(run)
    again = ("train", "decoder", *DATA, "--target", "bundles/small", "--out", "runs/again")
    assert run(*again, "--width", "24", "--epochs", "1", "--batch", "8")[0] == 0


def _a_bundle_of_a_bundle(run: Run) -> None:
    """Parts may come from a bundle: the same weights, recipes and seconds are in the new one."""
    parts = ("target", "prior", "decoder", "judge", "amortiser")
    words = [word for part in parts for word in (f"--{part}", "bundles/small")]
    assert run("train", "bundle", *DATA, *words, "--out", "bundles/smaller")[0] == 0
    old, new = (
        json.loads(Path(f"bundles/{n}/config.json").read_text()) for n in ("small", "smaller")
    )
    for part in parts:
        assert old["facts"]["recipes"][part] == new["facts"]["recipes"][part] != ""
        assert old["facts"]["seconds"][part] == new["facts"]["seconds"][part] is not None
        file = f"{part}.safetensors"
        assert (
            Path("bundles/small", file).read_bytes() == Path("bundles/smaller", file).read_bytes()
        )
    assert load(Path("bundles/smaller")).surrogate is None


def test_a_card_says_what_is_not_as_one_would_expect() -> None:
    facts = {
        "facecrafter": "1",
        "size": 64,
        "attribute_names": ["a"],
        "data": {"name": "lfw", "public": 1, "private_train": 1, "private_test": 1},
        "recipes": {"prior": "PriorTraining(width=32, steps=0, bfloat16=True) seed=7, 24 steps"},
        "seconds": {"prior": 61.4},
        "figures": {"attributes_scored": 1, "mean_auc": 1, "judge_accuracy": 1, "decoder_ssim": 1},
    }
    text = model_card("lfw64", facts, {"prior": 1, "decoder": 1})
    flags = "--width 32 --steps 0 --bfloat16 --seed 7"
    assert f"facecrafter train prior --data lfw --root DATA/lfw --size 64 {flags}  # 61 s" in text
    assert "warm start alone" in text
    assert "decoder: not recorded" in text


def test_ctrl_c_while_training_and_on_to_the_same_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*TARGET, "--out", "whole")[0] == 0
    calls: list[int] = []

    def stopped(images: Images, rng: Generator) -> Images:
        calls.append(len(images))
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return varied(images, rng)

    monkeypatch.setattr(target, "varied", stopped)
    code, _, err = run(*TARGET, "--out", "stopped")
    assert code == 130
    assert "Traceback" not in err
    assert len(calls) == 2
    assert run(*TARGET, "--out", "stopped")[0] == 0
    ends = [restore(Path(name), "target").state_dict() for name in ("whole", "stopped")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_another_recipe_in_the_same_folder_is_refused(run: Run) -> None:
    assert run(*TARGET)[0] == 0
    code, _, err = run(*TARGET, "--decay", "0.5")
    assert code == 1
    assert "another recipe" in err


def test_a_full_disk_while_training_is_one_message(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "save_file", full)
    code, _, err = run(*TARGET)
    assert code == 1
    assert "No space left" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "target", "--data", "lfw"), "--root"),
        (("train", "target", "--data", "lfw", "--root", "nowhere"), "nowhere"),
        (("train", "amortiser"), "no whole checkpoint"),
        (("train", "bundle", *DATA), "no whole checkpoint"),
        (("train", "target", *DATA, "--batch", "1000"), "fill a batch"),
    ],
)
def test_what_is_missing_is_named(run: Run, words: tuple[str, ...], told: str) -> None:
    code, _, err = run(*words)
    assert code == 1
    assert told in err
    assert not Path(assemble.TrainBundle.out).exists()


def test_weights_that_are_not_finite_are_not_bundled(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in PARTS:
        assert run(*words)[0] == 0
    broken = restore

    def nan(folder: Path, part: str, size: int = 64) -> torch.nn.Module:
        network = broken(folder, part, size)
        if part == "decoder":
            next(network.parameters()).data.fill_(torch.nan)
        return network

    monkeypatch.setattr(networks, "restore", nan)
    code, _, err = run("train", "bundle", *DATA)
    assert code == 1
    assert "finite" in err
    assert not Path("bundles/lfw64").exists()
