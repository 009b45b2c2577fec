"""The amortiser of Table XIII, layer by layer."""

import pytest
import torch
from torch import nn

from facecrafter.models.amortiser import Amortiser, encoder_of_images, split_gaussian


def test_layers_are_those_of_table_xiii():
    with torch.device("meta"):
        amortiser = Amortiser(64, 500)
    found = [
        (tuple(m.weight.shape), m.stride[0])
        for m in amortiser.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert found == [
        ((128, 64, 4, 4), 2),
        ((512, 128, 4, 4), 2),
        ((1024, 512, 4, 4), 2),
        ((512, 1024, 2, 2), 1),
        ((500, 512, 1, 1), 1),
    ]


def test_at_64_pixels_the_map_shrinks_to_one_point():
    with torch.device("meta"):
        amortiser = Amortiser(64, 500)
        shrunk = amortiser.layers[:-2](torch.rand(2, 64, 16, 16))
    assert shrunk.shape == (2, 512, 1, 1)  # so the average after it changes nothing


@pytest.mark.parametrize("side", [16, 28, 32])
def test_every_cut_gives_a_latent_vector(side):
    with torch.device("meta"):
        assert Amortiser(8, 12, 4)(torch.rand(2, 8, side, side)).shape == (2, 12)


def test_mean_and_variance_of_the_warm_start():
    encoder = encoder_of_images(6, 4)
    mean, log_variance = split_gaussian(encoder(torch.rand(3, 3, 32, 32)))
    assert mean.shape == log_variance.shape == (3, 6)
    _, clamped = split_gaussian(torch.tensor([[0.0, 1e9], [0.0, -1e9]]))
    assert clamped.flatten().tolist() == [4, -10]
