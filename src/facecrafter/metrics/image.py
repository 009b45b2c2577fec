"""Does the reconstruction look like the photograph? SSIM (VI-A) and PSNR, for each image.

Structural similarity alone misleads: identity can survive where it is low, so it always stands
beside a figure of `facecrafter.metrics.identity`.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from facecrafter.errors import DataError
from facecrafter.metrics.inputs import check_alike, check_images
from facecrafter.types import Scores

SIGMA = 1.5  # pixels; Wang et al. 2004, section III-B
RADIUS = 5  # pixels, 3.5 sigma: a window of 11 by 11; Wang et al. 2004, section III-B
C1, C2 = 0.01**2, 0.03**2  # keep a black or flat window defined; Wang et al. 2004, section III-B
PIECE = 64  # images at a time: bounds the memory for float64 maps; ours


def ssim(reconstructions: Tensor, originals: Tensor) -> Scores:
    """Structural similarity of each pair, float64, (batch,); 1 = equal, lower is more private.

    Gaussian window, population moments, only windows that lie wholly inside the image, averaged
    over places and then colours (Wang et al. 2004, eq. 13, for values from 0 to 1). Equal to
    scikit-image's `structural_similarity` with gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1. Both are (batch, 3, height, width), RGB, 0 to 1.

    Raises `DataError` for images that cannot be compared or are under 11 pixels high or wide.
    """
    _check(reconstructions, originals)
    if min(reconstructions.shape[2:]) < 2 * RADIUS + 1:
        raise DataError(
            f"images are {tuple(reconstructions.shape[2:])} pixels; SSIM slides a window of "
            f"{2 * RADIUS + 1} by {2 * RADIUS + 1}. Give larger images or use psnr."
        )
    pairs = zip(reconstructions.split(PIECE), originals.split(PIECE), strict=True)
    return torch.cat([_ssim(x.double(), y.double()) for x, y in pairs])


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (light * structure).mean(dim=(1, 2, 3))  # colours have equally many places


def _blur(images: Tensor) -> Tensor:
    """Gaussian mean around each pixel at least `RADIUS` from the edge, colour by colour."""
    places = torch.arange(-RADIUS, RADIUS + 1, dtype=images.dtype, device=images.device)
    window = torch.exp(-(places**2) / (2 * SIGMA**2))
    window = (window / window.sum()).expand(3, 1, 1, -1)
    rows = conv2d(images, window, groups=3)
    return conv2d(rows, window.transpose(2, 3), groups=3)


def psnr(reconstructions: Tensor, originals: Tensor) -> Scores:
    """Peak signal-to-noise ratio of each pair, dB, float64, (batch,); lower is more private.

    10 log10(1 / mean squared error) over all 3 x height x width values; equal images give inf, so
    a mean over them is inf too. Both are (batch, 3, height, width), RGB, 0 to 1; raises `DataError`
    for images that cannot be compared.
    """
    _check(reconstructions, originals)
    pairs = zip(reconstructions.split(PIECE), originals.split(PIECE), strict=True)
    errors = [(x.double() - y.double()).square().mean(dim=(1, 2, 3)) for x, y in pairs]
    return -10 * torch.cat(errors).log10()


def _check(reconstructions: Tensor, originals: Tensor) -> None:
    check_images("reconstructions", reconstructions)
    check_images("originals", originals)
    check_alike("reconstructions", reconstructions, "originals", originals)
