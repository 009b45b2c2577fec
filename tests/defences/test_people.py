"""The device's own networks that tell people apart."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from equipment import TWO, painted
from facecrafter.data.faces import NO_IDENTITY
from facecrafter.defences.people import Ensemble, in_blocks
from facecrafter.errors import DataError, SettingError
from facecrafter.training.people import PeopleTraining


def test_blocks_lose_nothing():
    images = torch.rand(2, 3, 8, 8)
    blocks = in_blocks(images)
    assert blocks.shape == (2, 12, 4, 4)
    assert torch.equal(torch.nn.functional.pixel_shuffle(blocks, 2), images)


def test_each_network_is_another():
    twice = Ensemble((TWO.trainings[0], TWO.trainings[0]))
    one, other = twice.fit(painted())(painted().images(range(4)))
    assert one.shape == other.shape == (4, 8)
    assert not torch.allclose(one, other, atol=1e-3)


def test_they_learn_to_tell_people_apart():
    """Of the faces that they learnt from, the nearest in angle is mostly of the same person."""
    training = PeopleTraining(widths=(8, 16, 16), epochs=40, batch=8, rate=5e-3)
    (seen,) = Ensemble((training,)).fit(painted())(painted().images())
    near = torch.nn.functional.normalize(seen - seen.mean(dim=0), dim=1)
    alike = (near @ near.T).fill_diagonal_(-1).argmax(dim=1)
    who = painted().identities
    assert (who[alike.numpy()] == who).mean() > 0.6  # by chance 0.18


def test_a_training_that_rests_on_other_faces_is_refused(tmp_path):
    TWO.fit(painted(), 0, tmp_path)
    pixels = np.array(painted().pixels)
    pixels[0] = 0
    with pytest.raises(SettingError, match="not from the same faces"):
        TWO.fit(replace(painted(), pixels=pixels), 0, tmp_path)


def test_faces_of_nobody_are_refused():
    nobody = replace(painted(), identities=np.full(40, NO_IDENTITY))
    with pytest.raises(DataError, match="0 people"):
        TWO.fit(nobody)


def test_no_network_is_refused():
    with pytest.raises(SettingError, match="trainings="):
        Ensemble(())


def test_the_default_networks_differ_in_width():
    assert all(one.widths != other.widths for one, other in pairwise(Ensemble().trainings))
