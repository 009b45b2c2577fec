"""Does beta or the rate steer Crafter-z? Table XIV beside what was measured, as a section.

App. L: "varying lr_z deliver a clear tradeoff" where a change of beta "does not affect the Eval Acc
and AUC much".
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facecrafter.defences.crafter_z import CrafterZ
from facecrafter.paper.figures import EVAL_ACC, MARKS, svg
from facecrafter.paper.files import write_whole
from facecrafter.paper.markdown import markdown
from facecrafter.paper.store import Record

THREATS = ("white-box", "black-box")
MEASURES = ("eval_acc", "auc")
NAMES = {"eval_acc": "Eval Acc", "auc": "mean AUC"}
Turned = Literal["rate", "beta"]
TURNED: tuple[Turned, ...] = ("rate", "beta")


@dataclass(frozen=True, order=True)
class Setting:
    """What is turned."""

    rate: float  # lr_z
    beta: float


@dataclass(frozen=True)
class Seen:
    """What came out, the mean over seeds; both 0 to 1."""

    eval_acc: float
    auc: float


_FINDING = "The paper's finding, that the rate steers and not beta,"
Found = Mapping[tuple[Setting, str], Seen]  # by threat, too


def _printed() -> dict[tuple[Setting, str], Seen]:
    """Table XIV: CelebA, "inference scenario"; rate, beta, white-box, black-box, mean AUC, in %."""
    rows = (
        (0.0001, 20, 34.11, 10.16, 91.33),
        (0.0001, 50, 35.94, 10.94, 91.01),
        (0.0005, 20, 9.89, 7.03, 77.98),
        (0.0005, 50, 7.81, 3.13, 81.22),
        (0.001, 20, 5.73, 2.34, 71.89),
        (0.001, 50, 2.86, 2.34, 73.15),
    )
    return {
        (Setting(rate, beta), threat): Seen(share / 100, auc / 100)
        for rate, beta, *shares, auc in rows
        for threat, share in zip(THREATS, shares, strict=True)
    }


REPORTED: Found = _printed()


def measured(records: Sequence[Record]) -> Found:
    """All of Crafter-z that is among the records."""
    several: dict[tuple[Setting, str], list[Record]] = {}
    for record in records:
        recipe, threat = record.defence, record.threat["name"]
        if recipe["name"] == CrafterZ.__name__ and threat in THREATS:
            setting = Setting(recipe["rate"], recipe["beta"])
            several.setdefault((setting, threat), []).append(record)
    return {
        key: Seen(*(sum(r.outcome[name] for r in mine) / len(mine) for name in MEASURES))
        for key, mine in several.items()
    }


def has_section(records: Sequence[Record]) -> bool:
    """Whether there is a section: each was turned while the other stayed."""
    return all(slopes(measured(records), turned) for turned in TURNED)


def section(records: Sequence[Record], picture: str) -> list[str]:
    """Paragraphs of the section, if there is one; `picture` as `draw` wrote it, without suffix."""
    if not has_section(records):
        return []
    found = measured(records)
    ours, theirs = "measured here", "reported (Table XIV, CelebA)"
    effects = [
        [
            f"{name}, {turned}",
            _points(slopes(found, turned, of)),
            _points(slopes(REPORTED, turned, of)),
        ]
        for of, name in NAMES.items()
        for turned in TURNED
    ]
    return [
        "## Does beta or the rate steer it?",
        f"![Eval Acc against AUC, a curve for each rate]({picture}.svg)",
        f"The figures behind it: [{picture}.csv]({picture}.csv).",
        f"As {ours}:",
        _table(found),
        f"As {theirs}:",
        _table(REPORTED),
        "How much the white-box Eval Acc and the mean AUC change, in points for each doubling of "
        "one of the two while the other stays, between the least and the greatest that was tried:",
        markdown(["", ours, theirs], effects),
        verdict(found),
        "Betas and rates here are on other scales than the paper's: L_u and L_p are per face, and "
        "the search takes other steps. What can be compared is what a factor does, and they were "
        f"turned by other ones: {_factors(found)} here, {_factors(REPORTED)} in the paper.",
    ]


def slopes(found: Found, turned: Turned, measure: str = "eval_acc") -> dict[float, float]:
    """How much a white-box measure changes for each doubling of one, at each value of the other.

    From the least to the greatest that was tried, where there are two.
    """
    lines: dict[float, list[tuple[float, float]]] = {}
    for (setting, threat), seen in found.items():
        if threat == THREATS[0]:
            stays = setting.beta if turned == "rate" else setting.rate
            lines.setdefault(stays, []).append((getattr(setting, turned), getattr(seen, measure)))
    return {at: _slope(sorted(line)) for at, line in lines.items() if len(line) > 1}


def _slope(line: Sequence[tuple[float, float]]) -> float:
    """Change, up or down, for each doubling."""
    (least, before), *_, (most, after) = line
    return abs(after - before) / math.log2(most / least)


def told(found: Found) -> str:
    """What each changes, in words."""
    rates, betas = (_points(slopes(found, turned)) for turned in TURNED)
    return (
        f"for each doubling the rate changes white-box Eval Acc by {rates} points, beta by {betas}"
    )


def verdict(found: Found) -> str:
    """Whether the paper's finding holds: the rate matters more, whatever the other is."""
    rates, betas = slopes(found, "rate"), slopes(found, "beta")
    if min(rates.values()) > max(betas.values()):
        return f"**{_FINDING} holds here**: {told(found)}."
    slow = [f"{rate:g}" for rate, slope in sorted(betas.items()) if slope < min(rates.values())]
    some = (
        f" At lr_z {' and '.join(slow)} it does hold: there the steps seem too short for z to "
        "arrive, so that how far it may go decides."
        if slow
        else ""
    )
    return f"**{_FINDING} holds in part**: {told(found)}.{some}"


def draw(records: Sequence[Record], path: Path, title: str) -> None:
    """Draw `path` (SVG) and write the figures behind it beside it (CSV), if there is a section.

    Panels for each threat, measured above reported; a curve for each rate. Raises `ResultError`.
    """
    if not has_section(records):
        return
    figure = Figure(figsize=(9, 7), layout="constrained")
    grid = figure.subplots(2, len(THREATS), sharey="row", squeeze=False)
    both = {"measured": measured(records), "paper, CelebA": REPORTED}
    for plots, (source, found) in zip(grid, both.items(), strict=True):
        for plot, threat in zip(plots, THREATS, strict=True):
            _panel(plot, found, threat, f"{threat}, {source}")
        plots[0].set_ylabel(EVAL_ACC)
    figure.suptitle(title)
    write_whole(path, svg(figure))
    write_whole(path.with_suffix(".csv"), rows(both).encode())


def rows(both: Mapping[str, Found]) -> str:
    """CSV: a row for each setting and threat of each source."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "lr_z", "beta", "threat", *MEASURES])
    for source, found in both.items():
        for (setting, threat), seen in sorted(found.items()):
            numbers = f"{seen.eval_acc:.6f}", f"{seen.auc:.6f}"
            writer.writerow([source, setting.rate, setting.beta, threat, *numbers])
    return text.getvalue()


def _table(found: Found) -> str:
    head = ["lr_z", "beta", *(f"Eval Acc, {threat}" for threat in THREATS), "mean AUC"]
    lines: list[list[str]] = []
    for setting in sorted({setting for setting, _ in found}):
        mine = [found.get((setting, threat)) for threat in THREATS]
        shares = ["not run" if one is None else f"{100 * one.eval_acc:.2f} %" for one in mine]
        auc = next(one.auc for one in mine if one is not None)
        lines.append([f"{setting.rate:g}", f"{setting.beta:g}", *shares, f"{auc:.4f}"])
    return markdown(head, lines)


def _factors(found: Found) -> str:
    """How far each was turned."""
    told = {turned: [getattr(setting, turned) for setting, _ in found] for turned in TURNED}
    both = (f"{turned} by {max(some) / min(some):g}" for turned, some in told.items())
    return " and ".join(both)


def _points(found: Mapping[float, float]) -> str:
    """The least and the greatest change, in points."""
    least, most = (100 * end for end in (min(found.values()), max(found.values())))
    return f"{least:.1f} to {most:.1f}"


def _panel(plot: Axes, found: Found, threat: str, title: str) -> None:
    rates = sorted({setting.rate for setting, _ in found})
    for mark, rate in zip(MARKS * len(rates), rates, strict=False):
        line = [
            (seen.auc, seen.eval_acc, setting.beta)
            for (setting, against), seen in sorted(found.items())
            if setting.rate == rate and against == threat
        ]
        plot.plot([x for x, _, _ in line], [y for _, y, _ in line], f"{mark}-", label=f"{rate:g}")
        for x, y, beta in line:
            plot.annotate(f"{beta:g}", (x, y), xytext=(4, 4), textcoords="offset points")
    plot.set(title=title, xlabel="mean AUC (higher is more useful)", ylim=(0, None))
    plot.legend(title="lr_z; beta beside", fontsize="small")
    plot.grid(alpha=0.3)
