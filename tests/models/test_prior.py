"""The generators of Table XII, layer by layer."""

import pytest
import torch
from torch import nn

from facecrafter.errors import SettingError
from facecrafter.models.prior import Prior

LAYERS = (nn.Linear, nn.ConvTranspose2d)


def weights(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(m.weight.shape) for m in network.modules() if isinstance(m, LAYERS)]


def test_g1_is_that_of_table_xii():
    with torch.device("meta"):
        prior = Prior(500)
    assert weights(prior) == [
        (64 * 256, 500),
        (64 * 4, 64 * 2, 5, 5),
        (64 * 2, 64, 5, 5),
        (64, 3, 5, 5),
    ]
    assert prior.layers[3](prior.layers[0](torch.rand(2, 500, device="meta"))).shape == (
        2,
        64 * 4,
        8,
        8,
    )


def test_g2_is_that_of_table_xii():
    with torch.device("meta"):
        prior = Prior(3000, depth=4)
    assert weights(prior) == [
        (64 * 128, 3000),
        (64 * 8, 64 * 4, 5, 5),
        (64 * 4, 64 * 2, 5, 5),
        (64 * 2, 64, 5, 5),
        (64, 3, 5, 5),
    ]


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("size", [32, 64, 112, 128])
def test_faces_have_the_size_that_was_asked(depth, size):
    with torch.device("meta"):
        prior = Prior(12, 4, size, depth)
    assert prior.latent_dim == 12
    assert prior(torch.rand(2, 12, device="meta")).shape == (2, 3, size, size)


def test_colours_lie_between_0_and_1():
    torch.manual_seed(0)
    faces = Prior(6, 4, 32).eval()(100 * torch.randn(4, 6))
    assert faces.min() >= 0
    assert faces.max() <= 1


@pytest.mark.parametrize(("depth", "size"), [(2, 64), (5, 64), (3, 60), (4, 72)])
def test_other_depths_and_sizes_are_refused(depth, size):
    with pytest.raises(SettingError, match=f"depth={depth}, size={size}"):
        Prior(6, 4, size, depth)
