"""Panels to draw on, and a heat map with its figures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray


def heat_map(
    plot: Axes,
    values: NDArray[np.float64],
    lines: Sequence[str],
    columns: Sequence[str],
    colours: str = "Reds",
) -> None:
    """A heat map with its figures."""
    plot.imshow(values, cmap=colours, vmin=0, vmax=1, aspect="auto")
    plot.set_xticks(range(len(columns)), columns, fontsize="x-small")
    plot.set_yticks(range(len(lines)), lines, fontsize="x-small")
    for (line, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "w" if value > 0.6 else "k"
            told = f"{value:.2f}"
            plot.text(column, line, told, ha="center", va="center", color=colour, size="x-small")


def row(count: int, beside: float = 0) -> tuple[Figure, list[Axes]]:
    """`beside`: inches for a legend that stands on the right of all."""
    figure = Figure(figsize=(4.2 * count + beside, 3.8), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def grid(rows: int, columns: int, beside: float = 0) -> tuple[Figure, list[list[Axes]]]:
    """`beside`: as in `row`."""
    figure = Figure(figsize=(4 * columns + beside, 3.6 * rows), layout="constrained")
    return figure, [list(line) for line in figure.subplots(rows, columns, squeeze=False)]
