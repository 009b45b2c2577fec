"""Published networks that tell people apart: as their authors' code computes them, and refused."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from facecrafter.errors import DataError
from facecrafter.training.foreign import read
from facecrafter.training.iresnet import ADVICE, recogniser
from published_people import SIDE, WIDTH, evolve, insightface, seen

IMAGES = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "weights",
    [insightface(), evolve(), evolve(between=True)],
    ids=["insightface", "evolve", "tface"],
)
def test_it_computes_what_the_layout_says(weights):
    """The real code was held against it once: iresnet18 and IR-50 agree to 1.5e-8 of 0.23."""
    made = recogniser(weights)
    assert made.side == SIDE
    torch.testing.assert_close(made(IMAGES), seen(weights, IMAGES), rtol=1e-4, atol=1e-5)
    assert not made.training
    assert not any(one.requires_grad for one in made.parameters())


def test_photographs_of_any_side_are_scaled():
    made = recogniser(insightface())
    large = torch.nn.functional.interpolate(IMAGES, scale_factor=2, mode="nearest")
    found = made(large)
    assert found.shape == (3, WIDTH)
    assert (found * made(IMAGES)).sum(dim=1).min() > 0.9
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_what_several_gpus_put_before_a_name_is_dropped():
    many = {f"module.{name}": value for name, value in evolve().items()}
    assert torch.equal(recogniser(many)(IMAGES), recogniser(evolve())(IMAGES))


def without(name):
    return {key: value for key, value in insightface().items() if key != name}


def lacking(start):
    return {key: value for key, value in insightface().items() if not key.startswith(start)}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (without("layer2.0.bn3.bias"), r"1 are missing: blocks\.2\.last\.bias.*docs/recognisers"),
        (without("fc.weight"), r"embed\.weight"),
        (without("layer1.0.conv1.weight"), "docs/recognisers"),
        (
            insightface() | {"layer1.0.se.weight": torch.ones(2)},
            r"layer1\.0\.se\.weight is unknown",
        ),
        (insightface() | {"bn1.scale": torch.ones(4)}, r"1 are too many: stem\.1\.scale"),
        (insightface() | {"bn2.running_var": -torch.ones(10)}, "a variance below 0"),
        (insightface() | {"layer1.0.conv1.weight": torch.ones(0, 4, 3, 3)}, "is empty"),
        (lacking("layer3.0."), "5 blocks were found"),
        (lacking("layer2."), "5 blocks were found"),
        (insightface() | {"fc.weight": torch.ones(WIDTH, 50)}, "size mismatch"),
        (insightface() | {"conv1.weight": torch.ones(())}, "docs/recognisers"),
        (evolve() | {"body.0.res_layer.5.fc1.weight": torch.ones(2, 4, 1, 1)}, "kind IR"),
        ({"head.weight": torch.ones(2)}, "0 blocks"),
        ({}, "docs/recognisers"),
    ],
)
def test_weights_of_another_kind_are_refused(given, told):
    with pytest.raises(DataError, match=told):
        recogniser(given)


def test_a_file_is_read_with_suspicion(tmp_path):
    class Opened:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    (tmp_path / "ir.pth").write_bytes(pickle.dumps(Opened()))
    with pytest.raises(DataError, match=r"ir\.pth is no safetensors file.*docs/recognisers\.md"):
        read(tmp_path / "ir.pth", ADVICE)
    broken = insightface() | {"fc.bias": torch.full((WIDTH,), torch.nan)}
    save_file(broken, tmp_path / "ir.safetensors")
    with pytest.raises(DataError, match=r"fc\.bias in ir\.safetensors holds numbers"):
        read(tmp_path / "ir.safetensors", ADVICE)
    save_file(insightface(), tmp_path / "ir.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"carries metadata.*in float32 and without metadata"):
        read(tmp_path / "ir.safetensors", ADVICE)
