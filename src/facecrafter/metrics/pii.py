"""Definition 2: how far reconstructions are from average faces, as a distance of distributions.

The exact earth mover's distance between two samples of equally many images, in place of the
critic's estimate that Crafter is trained with (VI-B, 'Validity of epsilon-PII').
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from facecrafter.errors import DataError
from facecrafter.metrics.inputs import check_count, check_finite, check_images


def epsilon_pii(reconstructions: Tensor, average: Tensor) -> float:
    """Epsilon of Definition 2 for two samples: EMD over the image size; lower is more private.

    `reconstructions`: samples of G(z*(F*)) for private faces. `average`: as many samples of
    G(z_r). Both are (batch, 3, height, width), RGB, 0 to 1. The ground distance is Euclidean over
    all values of an image (section II), and the image size is how many values that is,
    3 x height x width: the paper says 'image size' and no more (VI-B).

    Two finite samples of one distribution are not at distance 0, so hold a figure against that of
    two samples of G(z_r) of the same size. Raises `DataError` for images that cannot be compared
    and for unequal numbers of them.
    """
    check_images("reconstructions", reconstructions)
    check_images("average", average)
    if reconstructions.shape[2:] != average.shape[2:]:
        raise DataError(
            f"reconstructions are {tuple(reconstructions.shape[2:])} pixels and average faces "
            f"{tuple(average.shape[2:])}; they lie in one space. Resize one of them."
        )
    return earth_movers_distance(reconstructions, average) / reconstructions[0].numel()


def earth_movers_distance(one: Tensor, other: Tensor) -> float:
    """Exact EMD(P||Q) of section II between the empirical distributions of two samples.

    Both are (samples, ...) with equal shapes; everything after the first axis is one point. With
    equal weights on equally many points some optimal transport moves whole points (Birkhoff), so
    the best one-to-one assignment is exact. Time grows with samples^2 x values, then samples^3.
    Raises `DataError` where shapes differ, nothing is given or a value is not finite.
    """
    if one.shape != other.shape:
        raise DataError(
            f"samples have shapes {tuple(one.shape)} and {tuple(other.shape)}; the assignment is "
            "one to one. Take equally many points of one size from each."
        )
    costs = distances(one, other).cpu().numpy()
    rows, columns = linear_sum_assignment(costs)
    return float(costs[rows, columns].mean())


def distances(one: Tensor, other: Tensor, piece: int = 128) -> Tensor:
    """Euclidean distance between every two points: float64, (len(one), len(other)).

    Worked out `piece` by `piece` points in float64, from differences and never through
    |x|^2 + |y|^2 - 2xy, which loses half of the digits where points are close. Beside
    the points and the result, memory holds 2 x `piece` points, however many there are.
    """
    check_count("piece", piece)
    for name, points in (("one", one), ("other", other)):
        if points.ndim < 2 or points.numel() == 0:
            raise DataError(
                f"{name} has shape {tuple(points.shape)}; it is (points, values), at least one of "
                "each. Give one row for each point."
            )
        check_finite(name, points)
    if one.shape[1:] != other.shape[1:]:
        raise DataError(
            f"points have shapes {tuple(one.shape[1:])} and {tuple(other.shape[1:])}; they lie in "
            "one space. Resize one of them."
        )
    result = torch.empty(len(one), len(other), dtype=torch.float64, device=one.device)
    for i in range(0, len(one), piece):
        for j in range(0, len(other), piece):
            block = _direct(one[i : i + piece], other[j : j + piece])
            result[i : i + piece, j : j + piece] = block
    return result


def _direct(one: Tensor, other: Tensor) -> Tensor:
    x, y = one.detach().flatten(1).double(), other.detach().flatten(1).double()
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
