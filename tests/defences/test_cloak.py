"""What cloaks share: DSSIM, a blur, distances of embeddings."""

import pytest
import torch
from torch.nn.functional import pad

from facecrafter.defences.cloak import RADIUS, apart, dissimilarity, gaussian
from facecrafter.defences.fawkes import Fawkes
from facecrafter.errors import SettingError
from facecrafter.metrics.image import ssim
from facecrafter.randomness import stream
from helpers import random_images


def test_dissimilarity_is_half_of_what_ssim_lacks_on_mirrored_edges():
    """The metric slides no window over an edge: mirrored by its radius, it sees all of them."""
    images = random_images()
    cloaked = (images + 0.1 * torch.randn(images.shape, generator=stream(0, "cloak"))).clamp(0, 1)
    mirrored = (pad(one, (RADIUS,) * 4, mode="reflect") for one in (cloaked, images))
    expected = (1 - ssim(*mirrored)) / 2
    torch.testing.assert_close(dissimilarity(cloaked, images).double(), expected, rtol=0, atol=1e-5)


def test_an_equal_photograph_is_not_dissimilar():
    assert dissimilarity(random_images(), random_images()).abs().max() < 1e-6


def test_a_blur_keeps_flat_pictures_and_the_mean_of_rough_ones():
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(gaussian(flat, 3.0, 3), flat)
    rough = random_images()
    soft = gaussian(rough, 3.0, 3)
    assert soft.shape == rough.shape
    assert soft.std() < 0.3 * rough.std()
    assert (soft.mean() - rough.mean()).abs() < 0.01


def test_distances_are_in_lengths_of_the_reference():
    (found,) = apart([torch.tensor([[3.0, 4.0]])], [torch.tensor([[0.0, 2.0]])])
    torch.testing.assert_close(found, torch.tensor([13**0.5 / 2]))


@pytest.mark.parametrize("name", ["evades", "mode"])
def test_an_unknown_word_is_named(name):
    recipe = Fawkes()
    object.__setattr__(recipe, name, "foo")  # past the types, which only tests check
    with pytest.raises(SettingError, match=f"{name}='foo'"):
        recipe.__post_init__()
