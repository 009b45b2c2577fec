"""A surrogate: shapes, the scales of its signature, training."""

from pathlib import Path

import pytest
import torch

from facecrafter.data.synthetic import synthetic_splits
from facecrafter.errors import DataError
from facecrafter.models.surrogate import Surrogate
from facecrafter.training.checkpoints import losses_before
from facecrafter.training.restore import restore
from facecrafter.training.surrogate import SurrogateTraining
from helpers import tiny_target


def test_shapes() -> None:
    surrogate = Surrogate(8, 5, (6, 7)).eval()
    features = torch.rand(3, 8, 16, 16)
    assert surrogate.embed(features).shape == (3, 7)
    assert surrogate(features).shape == (3, 5)
    assert surrogate.signature(features).shape == (3, 7 + 5)


def test_two_faces_are_two_apart_on_average() -> None:
    torch.manual_seed(0)
    surrogate = Surrogate(8, 5, (6, 7)).eval()
    features = 3 * torch.randn(400, 8, 16, 16)
    with torch.no_grad():
        surrogate.measure_spread(surrogate.embed(features))
        signature = surrogate.signature(features)
    for part in (signature[:, :7], signature[:, 7:]):  # each bears half of it
        apart = torch.cdist(part, part).square()
        assert apart.sum().item() / (400 * 399) == pytest.approx(1, abs=0.02)


def test_training_learns_measures_the_spread_and_is_restored(tmp_path: Path) -> None:
    faces = synthetic_splits(0, people=8, photographs=8, private_people=2).public
    recipe = SurrogateTraining((8, 8, 8), epochs=12, batch=16, rate=5e-3)
    surrogate = recipe.fit(tiny_target().encode, faces, 0, tmp_path)
    losses = [row["cross-entropy"] for row in losses_before(tmp_path, 10**6)]
    assert losses[-1] < 0.8 * losses[0]
    assert (surrogate.spread != 1).all()
    again = restore(tmp_path, "surrogate")
    assert isinstance(again, Surrogate)
    assert again.arguments == surrogate.arguments
    for name, value in again.state_dict().items():
        assert torch.equal(value, surrogate.state_dict()[name]), name


def test_faces_without_attributes_teach_nothing() -> None:
    faces = synthetic_splits(0, people=4, photographs=4, private_people=2).public.only(())
    with pytest.raises(DataError, match="no face has attributes"):
        SurrogateTraining().fit(tiny_target().encode, faces)
