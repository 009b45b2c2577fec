"""Features to bytes and back: what leaves the device, and nothing besides.

A message is a safetensors file with one tensor, `features`: no identity, no file name, no
metadata. Every rule is checked before a value is used; pickle has no part in it.
"""

from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from facecrafter.errors import WireError
from facecrafter.headers import HeaderError, read_header
from facecrafter.types import Features

LARGEST_HEADER = 4096  # bytes; ours. A message of `dumps` has under 100
NAME = "features"
_TYPES = (torch.float32, torch.float16)


@dataclass(frozen=True)
class Limits:
    """What a receiver accepts."""

    most_bytes: int = 32 * 2**20  # of a message: 128 features of 64 x 32 x 32 in float32; ours
    most_images: int = 128  # in a message; ours
    shape: tuple[int, int, int] | None = None  # channels, height, width; None = any
    most_norm: float | None = None  # of the features of one image; None = any


def dumps(features: Features) -> bytes:
    """Features as a message, in the type that they have: float32, or float16 for half the bytes.

    Raises `WireError` where they are empty, not finite or of another type.
    """
    if features.ndim != 4 or features.numel() == 0:
        raise WireError(
            f"features of shape {tuple(features.shape)} cannot be sent: give at least one image, "
            "as (batch, channels, height, width)."
        )
    if features.dtype not in _TYPES:
        raise WireError(f"features are {features.dtype}; send float32, or float16 for less.")
    if not bool(torch.isfinite(features).all()):
        raise WireError(
            "features are not finite, so they are not sent; check the model and images."
        )
    return save({NAME: features.detach().cpu().contiguous()})


def loads(data: bytes, limits: Limits | None = None) -> Features:
    """The features in a message, float32, on the CPU. Raises `WireError` for anything else."""
    limits = limits or Limits()
    if len(data) > limits.most_bytes:
        raise WireError(
            f"the message has {len(data)} bytes, above the limit of {limits.most_bytes}. Send "
            "fewer images at a time."
        )
    _check_header(data, limits)
    try:
        features = load(data)[NAME].float()
    except SafetensorError as error:  # two readers of a header may differ: trust neither alone
        raise WireError(f"the message is not a safetensors file: {error}.") from error
    if not bool(torch.isfinite(features).all()):
        raise WireError("the features are not finite. Send finite values.")
    if limits.most_norm is not None:
        largest = features.flatten(1).norm(dim=1).max().item()
        if not largest <= limits.most_norm:
            raise WireError(
                f"the features of an image have norm {largest:.4g}, above {limits.most_norm:.4g}: "
                "they are not from the encoder that the service expects."
            )
    return features


def _check_header(data: bytes, limits: Limits) -> None:
    try:
        entries = read_header(data, LARGEST_HEADER)
    except HeaderError as error:
        raise WireError(f"the message {error}. Make it with facecrafter.wire.dumps.") from error
    if entries.keys() != {NAME}:
        names = sorted(entries)[:3]
        raise WireError(f"the message holds tensors {names}; send one, named {NAME!r}.")
    entry = entries[NAME]
    if entry.dtype == "I64":
        raise WireError("the features are whole numbers (I64); send float32 or float16.")
    if len(entry.shape) != 4 or 0 in entry.shape:
        raise WireError(
            f"the features have shape {entry.shape}; send (batch, channels, height, width), none 0."
        )
    batch, *shape = entry.shape
    if batch > limits.most_images:
        raise WireError(
            f"the message holds {batch} images, above the limit of {limits.most_images}. Send "
            "fewer at a time."
        )
    if limits.shape is not None and tuple(shape) != limits.shape:
        raise WireError(
            f"the features of an image are {tuple(shape)}, expected are {limits.shape}: use the "
            "encoder and the image size of the service."
        )
