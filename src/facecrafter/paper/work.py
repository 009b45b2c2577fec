"""Releases and reconstructions, piece by piece on the disk: a killed run goes on where it was."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor

from facecrafter.paper.files import write_whole


@dataclass(frozen=True)
class Piece:
    """A tensor and how long it took to make, whichever run made it."""

    value: Tensor
    seconds: float


@dataclass(frozen=True)
class Work:
    """One folder of numbered pieces."""

    folder: Path

    def piece(self, number: int, make: Callable[[], Tensor]) -> Piece:
        """The piece of that number: read if it was made, else made and written."""
        path = self.folder / f"{number:04}.safetensors"
        done = _read(path)
        if done is None:
            began = time.perf_counter()
            value = make().contiguous().cpu()
            done = Piece(value, time.perf_counter() - began)
            seconds = torch.tensor(done.seconds, dtype=torch.float64)
            write_whole(path, to_bytes({"value": value, "seconds": seconds}))
        return done


def _read(path: Path) -> Piece | None:
    """A damaged piece counts as not made: making it again costs minutes, not a result."""
    try:
        found = read_tensors(path.read_bytes())
        return Piece(found["value"], found["seconds"].item())
    except (OSError, SafetensorError, KeyError):
        return None
