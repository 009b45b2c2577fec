"""Decoders give images of the size that was asked; the linear one is the authors'."""

import pytest
import torch
from torch import nn

from facecrafter.models.decoder import Decoder, LinearDecoder

CUTS = [(64, 16, 64), (64, 32, 128), (128, 16, 64), (256, 28, 112), (64, 8, 64)]


@pytest.mark.parametrize(("channels", "side", "size"), CUTS)
def test_images_have_the_size_that_was_asked(channels, side, size):
    with torch.device("meta"):
        decoder = Decoder(channels, side, size, 8)
        assert decoder(torch.rand(2, channels, side, side)).shape == (2, 3, size, size)


@pytest.mark.parametrize(("channels", "side", "size"), [(64, 16, 64), (64, 32, 128), (128, 16, 64)])
def test_the_linear_one_too(channels, side, size):
    with torch.device("meta"):
        decoder = LinearDecoder(channels, side, size)
        assert decoder(torch.rand(2, channels, side, side)).shape == (2, 3, size, size)


def test_the_linear_one_is_the_authors():
    with torch.device("meta"):
        decoder = LinearDecoder(64, 16, 64)
    kinds = (nn.Linear, nn.ConvTranspose2d)
    found = [tuple(m.weight.shape) for m in decoder.modules() if isinstance(m, kinds)]
    assert found == [
        (512 * 4 * 4, 64 * 16 * 16),
        (512, 256, 5, 5),
        (256, 128, 5, 5),
        (128, 64, 5, 5),
        (64, 3, 5, 5),
    ]


def test_the_convolutional_one_has_a_hundredth_of_the_weights():
    with torch.device("meta"):
        small, large = Decoder(64, 16, 64), LinearDecoder(64, 16, 64)
    count = [sum(p.numel() for p in network.parameters()) for network in (small, large)]
    assert count[0] < count[1] / 100


def test_colours_lie_between_0_and_1():
    torch.manual_seed(0)
    images = Decoder(4, 8, 32, 8).eval()(100 * torch.randn(4, 4, 8, 8))
    assert images.min() >= 0
    assert images.max() <= 1
