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
from facecrafter.commands import assemble, networks, prepared
from facecrafter.commands.card import card as model_card
from facecrafter.commands.figures import utility
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.paper.scenes import further
from facecrafter.training import checkpoints, target
from facecrafter.training.batches import varied
from facecrafter.training.restore import restore
from facecrafter.training.style_prior import StylePrior
from facecrafter.types import Images
from small_bundle import QUICK

DATA = ("--data", "synthetic", "--people", "8", "--photographs", "4")
# Of what is trained on features, and of these: with fewer than 8 maps, slopes of a 1 x 1
# convolution of stride 2 corrupt memory on processors with AVX2 alone (oneDNN's issue 6035).
MAPS = "8"
WIDTHS = ("--widths", MAPS, "4", "4", "4")
TARGET = ("train", "target", *DATA, *WIDTHS, "--epochs", "1", "--batch", "8", "--rate", "0.001")
PRIOR = ("--latent-dim", "5", "--width", "2", "--critic-width", "2", "--warm-epochs", "1")
SURROGATE = ("--widths", MAPS, MAPS, "4", "--attributes", "Smiling", "Eyeglasses")
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


@pytest.fixture(autouse=True)
def _no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network is taken from the checkout that is tested."""
    monkeypatch.setattr(prepared, "PROJECT", tmp_path / "project")


def test_a_style_based_prior_is_found_by_the_name_of_its_folder(run: Run) -> None:
    widths = ("--widths", "3", "3", "2", "2", "2", "--latent-dim", "5", "--measured", "20")
    short = ("--batch", "8", "--warm-epochs", "1", "--out", "priors/style")
    code, _, err = run("train", "style", *DATA, *widths, *short)
    assert code == 0, err
    found = further(Path("priors"))
    assert [*found] == ["style"]
    assert isinstance(found["style"], StylePrior)
    assert found["style"](torch.zeros(1, 5)).shape == (1, 3, 64, 64)
    code, _, err = run("train", "style", *DATA, "--widths", "3", "3", "2", "--out", "priors/other")
    assert code == 1
    assert "make faces of 16 pixels, not of 64" in err


def test_a_prior_of_one_who_got_private_photographs(run: Run) -> None:
    words = (*PARTS[1], "--json")
    assert "photographs" not in json.loads(run(*words)[1])
    code, out, err = run(*words, "--exposed", "0.5", "--out", "runs/exposed")
    assert code == 0, err
    splits = synthetic_splits(0, people=8, photographs=4, private_people=2)
    expected = len(splits.public) + len(splits.exposed(0.5))
    assert json.loads(out)["photographs"] == expected > len(splits.public)
    code, _, err = run(*words, "--exposed", "2", "--out", "runs/other")
    assert code == 1
    assert "share=2.0" in err


def test_a_general_encoder_gets_an_f_and_a_rival_begins_as_both(run: Run) -> None:
    short = ("--epochs", "1", "--batch", "8", "--json")
    assert run("train", "general", *DATA, *WIDTHS, "--outputs", "3", *short)[0] == 0
    code, out, err = run("train", "head", *DATA, *short)
    assert code == 0, err
    assert 0 <= json.loads(out)["mean_auc"] <= 1
    brief = ("--width", "24", "--epochs", "1", "--batch", "2", "--json")
    rival = ("train", "adversarial", *DATA, "--target", "runs/head", *brief)
    code, out, err = run(*rival)
    assert code == 0, err
    told = json.loads(out)
    assert 0 <= told["mean_auc"] <= 1
    assert -1 <= told["ssim"] <= 1
    encoder, f, played = (
        restore(Path("runs", name), "target").state_dict()
        for name in ("general", "head", "adversarial")
    )
    assert torch.equal(encoder["conv1.weight"], f["conv1.weight"])
    assert not torch.equal(encoder["conv1.weight"], played["conv1.weight"])
    restore(Path("runs/adversarial"), "decoder")  # that of the game, for `train bundle`
    code, out, _ = run(*rival)
    assert json.loads(out)["already"]
    code, _, err = run(*rival, "--weight", "1.5", "--out", "runs/other")
    assert code == 1
    assert "weight=1.5 of AdversarialLearning" in err


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
        code, out, err = run(*command.split(), *data)
        assert code == 0, err
        assert out.startswith("trained already, no step was left; ")
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
    _more_decoders_beside_it(run)


def _more_decoders_beside_it(run: Run) -> None:
    """Each takes the next free name, and the attacks find it there."""
    words = ("train", "shadow", *DATA, "--bundle", "bundles/small", "--decoder")
    for seed, name in (("1", "small-shadow1"), ("2", "small-shadow2")):
        decoder = ("train", "decoder", *DATA, "--target", "bundles/small", "--seed", seed)
        short = ("--width", "24", "--epochs", "1", "--batch", "8", "--out", f"runs/again{seed}")
        assert run(*decoder, *short)[0] == 0
        code, out, err = run(*words, f"runs/again{seed}", "--json")
        assert code == 0, err
        told = json.loads(out)
        assert told["out"].endswith(name)
        card = Path("bundles", name, "README.md").read_text()
        assert "facecrafter train decoder --data synthetic" in card
        assert str(told["decoder_ssim"]) in card
    found = prepared.shadows_of(Path("bundles/small"))
    assert [folder.name for folder in found] == ["small-shadow1", "small-shadow2"]
    stored = load(found[0]).need("decoder").state_dict()
    for name, value in restore(Path("runs/again1"), "decoder", 64).state_dict().items():
        assert torch.allclose(stored[name], value, rtol=1e-3, atol=1e-4)  # halves
    wide = ("train", "target", *DATA, "--widths", "16", "4", "4", "4", "--epochs", "1")
    assert run(*wide, "--batch", "8", "--out", "runs/wide")[0] == 0
    another = ("train", "shadow", *DATA, "--decoder", "runs/again1", "--bundle")
    for refused, why in (
        ((*words, "runs/decoder"), "small holds this very decoder"),
        ((*words, "bundles/small-shadow2"), "small-shadow2 holds this very decoder"),
        ((*words, "runs/again1", "--out", "bundles/small"), "--out small is there already"),
        ((*words, "runs/again1", "--size", "32"), "--size 32: small is for faces of 64 pixels"),
        ((*another, "runs/wide"), "turns 8 x 16 x 16 features into faces of 64 pixels; the"),
    ):
        code, _, err = run(*refused)
        assert code == 1
        assert why in " ".join(err.split())
    assert len(prepared.shadows_of(Path("bundles/small"))) == 2


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
        "figures": {
            "attributes_scored": 1,
            "mean_auc": 1,
            "judge_accuracy": 1,
            "decoder_ssim": 1,
            "prior_ssim": 0.5,
        },
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


DECODER = ("train", "decoder", *DATA, "--width", "24", "--epochs", "1", "--batch", "8")
CRITIC = ("train", "critic", *DATA, "--width", "2", "--steps", "1", "--batch", "4")


def test_a_folder_never_gives_the_weights_of_another_training(run: Run) -> None:
    """Same folder and recipe, but another network, size of images, or colours of them."""
    assert run(*TARGET)[0] == 0
    assert run(*TARGET, "--seed", "1", "--out", "runs/other")[0] == 0
    assert run(*PARTS[1])[0] == 0
    for first, changed, told in (
        (DECODER, ("--target", "runs/other"), "the same target"),
        (DECODER, ("--size", "32"), "the same faces"),
        (DECODER, ("--size", "32", "--target", "runs/other"), "the same faces and target"),
        (CRITIC, ("--raw",), "the same faces"),
    ):
        code, out, err = run(*first, "--json")
        assert code == 0, err
        before = Path(json.loads(out)["out"], checkpoints.NEWEST).read_bytes()
        code, out, err = run(*first, *changed)
        assert code == 1
        assert told in err
        assert before == Path("runs", first[1], checkpoints.NEWEST).read_bytes()


def test_a_finished_training_is_said_to_be_there_already(run: Run) -> None:
    assert json.loads(run(*TARGET, "--json")[1])["already"] is False
    assert json.loads(run(*TARGET, "--json")[1])["already"] is True
    assert run(*TARGET)[1].startswith("trained already")


def test_networks_are_found_in_the_project(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default or named, from any folder; one in the working directory comes first."""
    for number, words in enumerate(PARTS[:2]):
        place = "target" if number == 0 else "prior"
        assert run(*words, "--out", tmp_path / "project" / "runs" / place)[0] == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    start = ("--depth", "18", "--start", "runs/target")
    for words in (*PARTS[2:6], ("train", "judge", *DATA, *WIDTHS, *start, "--batch", "2")):
        code, _, err = run(*words, *(("--epochs", "1") if "judge" in words else ()))
        assert code == 0, err
        assert not Path("runs/target").exists()
    assert run(*TARGET, "--seed", "1")[0] == 0
    assert "not from the same target" in run(*DECODER)[2]


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
        (("train", "target", *DATA, "--rate", "nan"), "rate=nan of TargetTraining: give"),
        (("train", "target", *DATA, "--rate", "-1"), "rate=-1.0 of TargetTraining: give"),
        (("train", "decoder", *DATA, "--batch", "0"), "batch=0 of DecoderTraining: give"),
        (("train", "amortiser", "--width", "0"), "width=0 of AmortiserTraining: give"),
        (("train", "judge", *DATA, "--depth", "19"), "depth=19: choose one of"),
    ],
)
def test_what_is_missing_is_named(run: Run, words: tuple[str, ...], told: str) -> None:
    code, _, err = run(*words)
    assert code == 1
    assert told in err
    assert "tyro" not in err
    assert not Path(assemble.TrainBundle.out).exists()


@pytest.mark.parametrize("part", ["target", "decoder"])
def test_a_network_of_no_known_name_is_wrong_usage(run: Run, part: str) -> None:
    code, _, err = run("train", part, *DATA, "--network", "foo")
    assert code == 2
    assert "invalid choice 'foo'" in err


def test_a_judge_of_another_shape_than_its_start_is_one_message(run: Run) -> None:
    assert run(*TARGET)[0] == 0
    code, _, err = run("train", "judge", *DATA, *JUDGE)
    assert code == 1
    assert "start is no ResNet-18 of widths (64, 128, 256, 512)" in err
    assert "Traceback" not in err
    assert not Path("runs/judge").exists()


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
