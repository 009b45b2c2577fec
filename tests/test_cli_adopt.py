"""`facecrafter adopt`: from a file of weights to a column of the table of generators."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from facecrafter.cli import main
from facecrafter.commands.evaluate import Evaluate
from facecrafter.training.adoption import generator
from published_generator import WIDTHS, weights

SYNTHETIC = ("--data", "synthetic", "--size", "16", "--people", "4", "--photographs", "2")


@pytest.fixture
def published(tmp_path):
    save_file(weights((*WIDTHS, 3)), tmp_path / "ffhq.safetensors")
    return tmp_path / "ffhq.safetensors"


def test_an_adopted_generator_is_framed_shown_and_searched(tmp_path, capsys, published):
    out = tmp_path / "priors" / "ffhq"
    assert (
        main(["adopt", "--weights", str(published), "--out", str(out), "--json", *SYNTHETIC]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    top, left, side = told["box"]
    assert min(top, left) >= 0
    assert 16 <= side <= 32 - max(top, left)
    assert -1 <= told["like"] <= 1
    prior = generator(out)
    assert prior(torch.zeros(1, told["latents"])).shape == (1, 3, 16, 16)
    assert prior.arguments["box"] == (top, left, side)
    with Image.open(out / "faces.png") as picture:
        assert picture.width == 8 * (16 + 2) - 2
    (table,) = Evaluate(root=tmp_path, table="priors", priors=out.parent).listed()
    assert [threat.name for threat in table.threats][-1] == "white-box A2, ffhq"
    (grid,) = Evaluate(root=tmp_path, priors=out.parent).listed()
    assert "white-box A2, ffhq" not in [threat.name for threat in grid.threats]


def test_the_same_seed_gives_the_same_generator_and_a_box_needs_no_faces(
    tmp_path, capsys, published
):
    common = ["adopt", "--weights", str(published), "--size", "8", "--box", "1", "2", "9"]
    for name in ("one", "two"):
        assert main([*common, "--out", str(tmp_path / name), "--quiet"]) == 0
    assert "rows 1 to 10 and columns 2 to 11 of its pictures are faces;" in capsys.readouterr().out
    one, two = (generator(tmp_path / name).state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--weights", "none.safetensors"], "none.safetensors"),
        (["--size", "8"], "--data lfw needs --root"),
        (["--size", "8", "--box", "9", "9", "29"], "box=(9, 9, 29)"),
        (["--size", "64"], "faces are no larger than its pictures"),
    ],
)
def test_what_cannot_be_adopted_leaves_no_folder(tmp_path, capsys, published, asked, told):
    out = tmp_path / "priors" / "ffhq"
    assert main(["adopt", "--weights", str(published), "--out", str(out), *asked]) == 1
    assert told in capsys.readouterr().err
    assert not out.exists()
