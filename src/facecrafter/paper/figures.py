"""The trade-off figure: what a feature is still good for, and what it still shows (Fig. 6 to 8)."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facecrafter.paper.files import write_whole
from facecrafter.paper.points import ANY, STRONGEST, Point, Spread, curve

PANELS = ("white-box", "black-box", "hybrid", STRONGEST)
MEASURES = ("auc", "eval_acc")
EVAL_ACC = "Eval Acc (lower is more private)"  # of an axis
MARKS = "o^sDvP*X"  # so that curves differ without colour
UNDEFENDED = "Plain"


def tradeoff(found: Sequence[Point], path: Path, title: str) -> tuple[Path, Path]:
    """Draw `path` (SVG) and write the figures behind it beside it (CSV); returns both.

    One panel for each threat and one for the strongest of them; one curve for each family of
    defences; bars from the least to the greatest seed. Raises `ResultError`.
    """
    drawn = panels(found)
    figure = Figure(figsize=(4 * len(drawn), 3.6), layout="constrained")
    plots: list[Axes] = list(figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0])
    for plot, threat in zip(plots, drawn, strict=True):
        panel(plot, found, threat)
    plots[0].set_ylabel(EVAL_ACC)
    plots[0].legend(fontsize="small")
    figure.suptitle(title)
    write_whole(path, svg(figure))
    table = path.with_suffix(".csv")
    write_whole(table, rows(found).encode())
    return path, table


def panels(found: Sequence[Point]) -> tuple[str, ...]:
    """Which panels the figure has."""
    return tuple(name for name in PANELS if any(point.threat == name for point in found))


def rows(found: Sequence[Point]) -> str:
    """CSV: a row for each point."""
    told = [((point.label, point.threat), point) for point in found]
    return csv_of(("defence", "threat"), told, MEASURES)


def csv_of(
    head: Sequence[str],
    found: Iterable[tuple[Sequence[object], Point]],
    measures: Sequence[str],
) -> str:
    """What each point is of, under `head`; then of the measures mean, least and greatest seed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spreads = [f"{name}{end}" for name in measures for end in ("", "_low", "_high")]
    writer.writerow([*head, "seeds", *spreads])
    for told, point in found:
        numbers = [f"{value:.6f}" for name in measures for value in point[name].bounds]
        writer.writerow([*told, point.seeds, *numbers])
    return text.getvalue()


def panel(plot: Axes, found: Sequence[Point], threat: str, measure: str = "eval_acc") -> None:
    """One threat: a measure against the mean AUC, and the paper's black square."""
    families = sorted({p.family for p in found if p.threat != ANY} - {UNDEFENDED})
    plain = curve(found, UNDEFENDED, threat)
    for mark, family in zip(MARKS[1:] * len(families), families, strict=False):
        _curve(plot, curve(found, family, threat), family, mark, measure)
    if plain:
        _curve(plot, plain, UNDEFENDED, MARKS[0], measure)
        ideal = plain[-1]["auc"].mean
        plot.plot([ideal], [0], "ks", markersize=8, label="ideal", clip_on=False)
    plot.set(title=threat, xlabel="mean AUC (higher is more useful)", ylim=(0, 1))
    plot.grid(alpha=0.3)


def _curve(plot: Axes, line: Sequence[Point], family: str, mark: str, measure: str) -> None:
    both = ("auc", measure)
    x, y = ([point[name].mean for point in line] for name in both)
    xerr, yerr = (bars([point[name] for point in line]) for name in both)
    plot.errorbar(x, y, xerr=xerr, yerr=yerr, fmt=f"{mark}-", label=family, capsize=2)


def bars(spreads: Sequence[Spread]) -> list[list[float]]:
    """Error bars from the least to the greatest seed."""
    return [[one.mean - one.low for one in spreads], [one.high - one.mean for one in spreads]]


def svg(figure: Figure) -> bytes:
    """The same bytes for the same figure: without date and random names."""
    body = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "facecrafter"}):
        figure.savefig(body, format="svg", metadata={"Date": None})
    return body.getvalue()
