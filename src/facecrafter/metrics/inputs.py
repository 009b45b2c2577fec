"""What every measure asks of its arguments.

Measures take plain `Tensor`s and check them here: the shape-checker runs in this project's tests
only, so these messages are what a user of the library meets.
"""

import torch
from torch import Tensor

from facecrafter.errors import DataError, SettingError

TOLERANCE = 1e-4  # how far a pixel may leave 0 to 1, for rounding; ours


def check_images(name: str, images: Tensor) -> None:
    """Raise `DataError` unless `images` are (batch, 3, height, width), RGB, finite, 0 to 1."""
    if not images.is_floating_point():
        raise DataError(
            f"{name} are {images.dtype}; images are floating-point numbers from 0 to 1. Divide "
            "bytes by 255."
        )
    if images.ndim != 4 or images.shape[1] != 3 or images.numel() == 0:
        raise DataError(
            f"{name} have shape {tuple(images.shape)}; images are (batch, 3, height, width), at "
            "least one. Give one row for each face, colours before height and width."
        )
    check_finite(name, images)
    low, high = (bound.item() for bound in images.aminmax())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise DataError(
            f"{name} hold values from {low:.6g} to {high:.6g}; images are RGB, 0 to 1. Undo any "
            "normalisation, or clamp what a generator makes."
        )


def check_finite(
    name: str, values: Tensor, advice: str = "Find the step that diverged before measuring."
) -> None:
    """Raise `DataError` that names the first value which is not a finite number."""
    bad = ~torch.isfinite(values)
    if not bool(bad.any()):
        return
    first: list[int] = bad.nonzero()[0].tolist()
    raise DataError(
        f"{name}{first} is {values[tuple(first)].item()}, and a mean over it would be as well; "
        f"every value must be finite. {advice}"
    )


def check_alike(name: str, one: Tensor, other_name: str, other: Tensor) -> None:
    """Raise `DataError` unless the two have one shape."""
    if one.shape != other.shape:
        raise DataError(
            f"{name} have shape {tuple(one.shape)} and {other_name} {tuple(other.shape)}; they are "
            "compared one by one. Give both in one order and one size."
        )


def check_labels(name: str, labels: Tensor, count: int) -> None:
    """Raise `DataError` unless `labels` are `count` whole numbers from 0."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{name} are {labels.dtype}; they are whole numbers. Give int64.")
    if tuple(labels.shape) != (count,):
        raise DataError(
            f"{name} have shape {tuple(labels.shape)}; there are {count} images. Give one number "
            "for each image, shape (batch,)."
        )
    if bool((labels < 0).any()):
        raise DataError(
            f"{name} hold {labels.min().item()}; they count from 0 and below stands for unknown. "
            "Leave images without a known person out."
        )


def check_count(name: str, value: int) -> None:
    """Raise `SettingError` unless `value` is at least 1."""
    if not value >= 1:
        raise SettingError(f"{name}={value} is below 1. Give a whole number from 1.")
