"""SSIM and PSNR, against scikit-image and by hand."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facecrafter.errors import DataError
from facecrafter.metrics.image import C1, PIECE, psnr, ssim


@cache
def pairs(count=3, height=32, width=41, dtype=torch.float64):
    """Smooth pictures, and the same with noise of growing strength."""
    rng = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 5, 5, generator=rng, dtype=dtype)
    clean = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noise = torch.randn(clean.shape, generator=rng, dtype=dtype)
    strength = torch.linspace(0.01, 0.5, count, dtype=dtype).view(-1, 1, 1, 1)
    return (clean + strength * noise).clamp(0, 1), clean


def ssim_of_skimage(one, other):
    from skimage.metrics import structural_similarity  # takes a second to import

    return structural_similarity(
        one.numpy(),
        other.numpy(),
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
    )


@pytest.mark.parametrize(("height", "width"), [(11, 11), (32, 41), (64, 64)])
def test_ssim_equals_scikit_image(height, width):
    ours = ssim(*pairs(3, height, width))
    theirs = [ssim_of_skimage(x, y) for x, y in zip(*pairs(3, height, width), strict=True)]
    assert ours.tolist() == pytest.approx(theirs, abs=1e-9)
    assert ours[0] > 0.9 > ours[2] + 0.3  # the pairs span similar and dissimilar


def test_ssim_of_single_precision_equals_scikit_image():
    one, other = pairs(dtype=torch.float32)
    theirs = [ssim_of_skimage(x.double(), y.double()) for x, y in zip(one, other, strict=True)]
    assert ssim(one, other).tolist() == pytest.approx(theirs, abs=1e-6)


def test_ssim_of_flat_images_has_a_closed_form():
    one, other = torch.full((1, 3, 16, 16), 0.25), torch.full((1, 3, 16, 16), 0.75)
    expected = (2 * 0.25 * 0.75 + C1) / (0.25**2 + 0.75**2 + C1)  # no structure: 1
    assert ssim(one, other).item() == pytest.approx(expected, abs=1e-12)


def test_ssim_averages_over_colours():
    one, other = (images[:1].clone() for images in pairs())
    one[:, 1:] = other[:, 1:]  # two colours equal: 1
    whole = ssim(one, other).item()
    red = ssim(one[:, :1].expand(-1, 3, -1, -1), other[:, :1].expand(-1, 3, -1, -1)).item()
    assert red < 1
    assert whole == pytest.approx((red + 2) / 3, abs=1e-12)


@pytest.mark.parametrize("measure", [ssim, psnr])
def test_each_image_is_measured_alone(measure):
    one, other = pairs(PIECE + 3, 12, 11)
    alone = [measure(one[i : i + 1], other[i : i + 1]).item() for i in (0, PIECE, PIECE + 2)]
    together = measure(one, other)
    assert together.shape == (PIECE + 3,)
    assert together[[0, PIECE, PIECE + 2]].tolist() == pytest.approx(alone, rel=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_ssim_is_symmetric_bounded_and_one_for_itself(seed):
    rng = torch.Generator().manual_seed(seed)
    one, other = torch.rand(2, 1, 3, 12, 12, generator=rng, dtype=torch.float64)
    assert ssim(one, other).item() == pytest.approx(ssim(other, one).item(), abs=1e-12)
    assert abs(ssim(one, other).item()) < 0.99
    assert ssim(one, one).item() == pytest.approx(1, abs=1e-12)


def test_ssim_refuses_images_under_its_window():
    with pytest.raises(DataError, match=r"\(10, 12\) pixels.*11 by 11"):
        ssim(torch.zeros(1, 3, 10, 12), torch.zeros(1, 3, 10, 12))


def test_psnr_equals_scikit_image():
    from skimage.metrics import peak_signal_noise_ratio

    one, other = pairs()
    theirs = [
        peak_signal_noise_ratio(y.numpy(), x.numpy(), data_range=1)
        for x, y in zip(one, other, strict=True)
    ]
    assert psnr(one, other).tolist() == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("step", [1 / 255, 0.1, 1])
def test_psnr_of_a_shift_has_a_closed_form(step):
    one = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    assert psnr(one, one + step).tolist() == pytest.approx([-20 * math.log10(step)] * 2)


def test_psnr_of_equal_images_is_infinite():
    assert psnr(torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)).item() == math.inf
