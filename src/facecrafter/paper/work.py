"""Releases and reconstructions, piece by piece on the disk: a killed run goes on where it was."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor

from facecrafter.defences import kept
from facecrafter.paper.files import write_whole


@dataclass(frozen=True)
class Piece:
    """A tensor and how long it took to make, whichever run made it."""

    value: Tensor
    seconds: float
    earlier: bool = False  # made by earlier code and taken over


@dataclass(frozen=True)
class Work:
    """One folder of numbered pieces. Beside it lie those that other code made of the same."""

    folder: Path
    spot_check: bool = False  # whether `take_over` takes anything

    def piece(self, number: int, make: Callable[[], Tensor]) -> Piece:
        """The piece of that number: read if it was made, else made and written."""
        done = self.kept(number)
        if done is None:
            unfinished = self.unfinished(number)
            before, began = kept.seconds(unfinished), time.perf_counter()
            value = make().contiguous().cpu()
            done = Piece(value, before + time.perf_counter() - began)
            self._write(number, done)
            shutil.rmtree(unfinished, ignore_errors=True)
        return done

    def kept(self, number: int) -> Piece | None:
        """The piece of that number, if it was made."""
        return _read(self._path(number))

    def unfinished(self, number: int) -> Path:
        """A folder for what is made of a piece so far; gone when the piece is there."""
        return self.folder / f"{number:04}"

    def take_over(self, count: int, make: Callable[[int], Tensor]) -> None:
        """Of `count` pieces make the first and the last; take the others from earlier code.

        Only from a folder that has the same first and last piece, bit for bit.
        """
        if not self.spot_check:
            return
        ends = {n: self.piece(n, partial(make, n)).value for n in (0, count - 1)}
        for folder in sorted(self.folder.parent.iterdir()):
            other = Work(folder)
            if folder != self.folder and all(other._holds(n, end) for n, end in ends.items()):
                for number in range(1, count - 1):
                    self._copy(number, other)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:04}.safetensors"

    def _holds(self, number: int, value: Tensor) -> bool:
        found = self.kept(number)
        return found is not None and found.value.equal(value)

    def _copy(self, number: int, other: "Work") -> None:
        found = other.kept(number)
        if found is not None and self.kept(number) is None:
            self._write(number, replace(found, earlier=True))

    def _write(self, number: int, piece: Piece) -> None:
        told = {"seconds": piece.seconds, "earlier": float(piece.earlier)}
        numbers = {name: torch.tensor(value, dtype=torch.float64) for name, value in told.items()}
        write_whole(self._path(number), to_bytes({"value": piece.value, **numbers}))


def _read(path: Path) -> Piece | None:
    """A damaged piece counts as not made: making it again costs minutes, not a result."""
    try:
        found = read_tensors(path.read_bytes())
        return Piece(found["value"], found["seconds"].item(), bool(found["earlier"].item()))
    except (OSError, SafetensorError, KeyError):
        return None
