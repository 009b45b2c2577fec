"""Pixels that stay where they are: a view of some crops of a file, read only when asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 20  # bytes read at once where all are needed; ours

Index = int | slice | range | Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pixels:
    """Some rows of an array of crops, in other colours where a `table` is given.

    Indexing reads and copies what is asked for; `take` and `coloured` read nothing, so 200,000
    crops in a memory map need no more memory than the batch in hand. `np.asarray` reads all.
    """

    source: NDArray[np.uint8]  # (all crops, 3, height, width), an array or a memory map
    rows: NDArray[np.int64] | None = None  # of the source; None = all
    table: NDArray[np.uint8] | None = None  # (3, 256): what stands for each value of each colour

    @staticmethod
    def of(pixels: "NDArray[np.uint8] | Pixels") -> "Pixels":
        """The array as a view; a view stays as it is."""
        return pixels if isinstance(pixels, Pixels) else Pixels(pixels)

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(photographs, 3, height, width)."""
        return (len(self), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one value: unsigned, 8 bits."""
        return self.source.dtype

    @property
    def ndim(self) -> int:
        """Four, for crops."""
        return self.source.ndim

    def __getitem__(self, index: Index) -> NDArray[np.uint8]:
        """A copy of the chosen crops: (3, height, width) for a number, else (chosen, 3, ...)."""
        where = index if self.rows is None else self.rows[index]
        raw = np.array(self.source[where])
        if self.table is not None:
            for colour, values in enumerate(self.table):
                raw[..., colour, :, :] = values[raw[..., colour, :, :]]
        return raw

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        everything = self[:]
        return everything if dtype is None else everything.astype(dtype)

    def take(self, index: NDArray[np.int64]) -> "Pixels":
        """The chosen crops as a view of their own; reads nothing."""
        rows = np.arange(len(self.source))[index] if self.rows is None else self.rows[index]
        return Pixels(self.source, rows, self.table)

    def coloured(self, table: NDArray[np.uint8]) -> "Pixels":
        """The same crops with each value of each colour replaced by the (3, 256) table's."""
        if self.table is not None:
            table = np.take_along_axis(table, self.table.astype(np.int64), axis=1)
        return Pixels(self.source, self.rows, table)

    def pieces(self) -> Iterator[NDArray[np.uint8]]:
        """All crops in order, a megabyte at a time."""
        count = max(PIECE // max(self.source[:1].nbytes, 1), 1)
        for start in range(0, len(self), count):
            yield self[start : start + count]
