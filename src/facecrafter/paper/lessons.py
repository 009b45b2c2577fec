"""How much a lesson is worth to an attacker who learns from the defence (A1), as a section.

Over epochs, as the paper's Figures 11 to 13 have it, and over pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facecrafter.paper.convergence import Gain, gained, sentences
from facecrafter.paper.figures import EVAL_ACC, MARKS, bars, csv_of, svg
from facecrafter.paper.files import write_whole
from facecrafter.paper.markdown import markdown, percent
from facecrafter.paper.points import Point, Spread
from facecrafter.paper.threats import ADAPTIVE, LEARNING, Threat, epochs_of, pairs_of

FULL = tuple(threat for threat in LEARNING if threat in ADAPTIVE)  # one of each decoder


@dataclass(frozen=True)
class Axis:
    """What a lesson has more or less of along a curve."""

    name: str
    of: Callable[[Threat], int]
    fixed: Callable[[Threat], int]  # is as in the full lesson, all along


AXES = (Axis("pairs", pairs_of, epochs_of), Axis("epochs", epochs_of, pairs_of))


def steps(full: Threat, axis: Axis) -> dict[int, str]:
    """Names of the threats along a curve, from the shortest lesson to the longest."""
    return {axis.of(one): one.name for one in _of(full) if axis.fixed(one) == axis.fixed(full)}


def line(found: Sequence[Point], label: str, full: Threat, axis: Axis) -> dict[int, Spread]:
    """Eval Acc along a curve, as far as it was measured."""
    measured = {point.threat: point["eval_acc"] for point in found if point.label == label}
    along = steps(full, axis).items()
    return {number: measured[name] for number, name in along if name in measured}


def has_section(found: Sequence[Point]) -> bool:
    """Whether there is a section: some curve has two points."""
    labels = {point.label for point in found}
    curves = (line(found, name, full, axis) for name in labels for full in FULL for axis in AXES)
    return any(len(curve) > 1 for curve in curves)


def apart(found: Sequence[Point]) -> set[str]:
    """Threats whose Eval Acc this section holds, so that a table of threats need not."""
    if not has_section(found):
        return set()
    return {threat.name for threat in LEARNING if threat not in FULL}


def section(found: Sequence[Point], labels: Sequence[str], picture: str) -> list[str]:
    """Paragraphs of the section, if there is one; `picture` as `draw` wrote it, without suffix."""
    if not has_section(found):
        return []
    return [
        "## How much a lesson is worth",
        f"![Eval Acc over pairs and over epochs]({picture}.svg)",
        f"The figures behind it: [{picture}.csv]({picture}.csv).",
        "A pair is a public face and what the defence releases of it. All lessons over pairs have "
        "the same number of epochs, so that one on fewer pairs also takes fewer steps. `strongest` "
        "and `any` above count all of these attacks.",
        *(part for full in FULL for part in _table(found, labels, full)),
        *(convergence(found, labels, axis) for axis in AXES),
    ]


def convergence(found: Sequence[Point], labels: Sequence[str], axis: Axis) -> str:
    """Whether the longest lesson still gains on one of half its length, curve by curve."""
    gains = {
        f"{full.name} against {label}": _gain(curve)
        for full in FULL
        for label in labels
        if (curve := line(found, label, full, axis))
    }
    return sentences(axis.name, gains)


def _gain(curve: Mapping[int, Spread]) -> Gain | None:
    """Points, as they are printed, that the longest lesson adds to one of half its length."""
    most = max(curve)
    half = most // 2
    if half not in curve:
        return None
    gain = gained(curve[half].mean, curve[most].mean)
    return gain, f"{gain:+.1f} points from {half:,} to {most:,}"


def draw(found: Sequence[Point], labels: Sequence[str], path: Path, title: str) -> None:
    """Draw `path` (SVG) and write the figures behind it beside it (CSV), if there is a section.

    A row of panels for each decoder, a curve for each defence, bars from the least to the greatest
    seed. Raises `ResultError`.
    """
    if not has_section(found):
        return
    figure = Figure(figsize=(9, 7), layout="constrained")
    grid = figure.subplots(len(FULL), len(AXES), sharey=True, squeeze=False)
    for plots, full in zip(grid, FULL, strict=True):
        for plot, axis in zip(plots, AXES, strict=True):
            _panel(plot, found, labels, full, axis)
        plots[0].set_ylabel(EVAL_ACC)
    grid[0][0].legend(fontsize="small")
    figure.suptitle(title)
    write_whole(path, svg(figure))
    write_whole(path.with_suffix(".csv"), rows(found, labels).encode())


def rows(found: Sequence[Point], labels: Sequence[str]) -> str:
    """CSV: a row for each lesson that was measured."""
    points = {(point.label, point.threat): point for point in found}
    return csv_of(
        ("defence", "decoder", "pairs", "epochs"),
        [
            ((label, full.name, pairs_of(one), epochs_of(one)), points[label, one.name])
            for label in labels
            for full in FULL
            for one in _of(full)
            if (label, one.name) in points
        ],
        ("eval_acc",),
    )


def _of(full: Threat) -> list[Threat]:
    """All lessons of a decoder, from the shortest to the longest."""
    mine = [threat for threat in LEARNING if threat.name.startswith(full.name)]
    return sorted(mine, key=lambda threat: (pairs_of(threat), epochs_of(threat)))


def _table(found: Sequence[Point], labels: Sequence[str], full: Threat) -> list[str]:
    columns = [(axis, number) for axis in AXES for number in steps(full, axis)]
    head = ["defence", *(f"{number:,} {axis.name}" for axis, number in columns)]
    rows: list[list[str]] = []
    for label in labels:
        curves = {axis: line(found, label, full, axis) for axis in AXES}
        if any(curves.values()):
            cells = [curves[axis].get(number) for axis, number in columns]
            rows.append([label, *("" if cell is None else percent(cell) for cell in cells)])
    text = (
        f"Eval Acc of {full.name}, over pairs at {epochs_of(full)} epochs and over epochs on "
        f"{pairs_of(full):,} pairs:"
    )
    return [text, markdown(head, rows)] if rows else []


def _panel(
    plot: Axes, found: Sequence[Point], labels: Sequence[str], full: Threat, axis: Axis
) -> None:
    for mark, label in zip(MARKS * len(labels), labels, strict=False):
        curve = line(found, label, full, axis)
        y = [spread.mean for spread in curve.values()]
        told = bars(list(curve.values()))
        plot.errorbar(list(curve), y, yerr=told, fmt=f"{mark}-", label=label, capsize=2)
    plot.set(title=full.name, xlabel=f"{axis.name} (log)", xscale="log", ylim=(0, 1))
    numbers = list(steps(full, axis))
    plot.set_xticks(numbers, [f"{number:,}" for number in numbers])
    plot.minorticks_off()
    plot.grid(alpha=0.3)
