"""Weights that others published, out of a safetensors file; nothing else is opened."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from facecrafter.errors import DataError
from facecrafter.headers import HeaderError, read_header

Weights = Mapping[str, Tensor]

LARGEST_HEADER = 2**20  # bytes; ours
LARGEST_FILE = 2**30  # bytes; ours: published StyleGANs have 120 MB, ArcFace's networks up to 500


def read(path: Path, advice: str) -> Weights:
    """Weights in float32, all finite. `advice`: what to do with what is no such file.

    Raises `DataError`; `OSError` where there is no file.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path.name} has more than {LARGEST_FILE} bytes: no network is so big.")
    data = path.read_bytes()
    try:
        read_header(data, LARGEST_HEADER)
        found = load(data)
    except HeaderError as error:
        raise DataError(
            f"{path.name} is no safetensors file of weights as it is to be: it {error}. Save it "
            f"anew, in float32 and without metadata. {advice}"
        ) from error
    except SafetensorError as error:
        raise DataError(
            f"{path.name} is no safetensors file of weights: {error}. {advice}"
        ) from error
    for name, value in found.items():
        if not value.isfinite().all():
            raise DataError(
                f"{name} in {path.name} holds numbers that are not finite: fetch the weights again."
            )
    return {name: value.float() for name, value in found.items()}
