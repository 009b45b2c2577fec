"""docs/bound.md, made from results/bound/*.json and the epsilons among results/*.json."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from facecrafter.paper import circumstances
from facecrafter.paper.bound_results import CRITIC, FAMILIES, Results
from facecrafter.paper.bound_sums import (
    GREATEST,
    UNIT,
    ceiling,
    diameter,
    in_thousandths,
    needed,
    sums,
    term,
    vacuous,
)
from facecrafter.paper.bound_text import (
    ASSUMPTIONS,
    FALL,
    GUARANTEES,
    HOW,
    IN_SHORT,
    LIMIT,
    MEASURED,
    NOT_GUARANTEED,
    NOT_TO_BE_HAD,
    STATEMENT,
    SUMS,
    SYMBOLS,
    TERMS,
)
from facecrafter.paper.figures import UNDEFENDED, csv_of, svg
from facecrafter.paper.files import write_whole
from facecrafter.paper.kept import Kept
from facecrafter.paper.markdown import markdown, number, percent
from facecrafter.paper.points import Point, by_label, points, rank_correlation
from facecrafter.paper.store import Record
from facecrafter.paper.tables.bound import DEFENCES, DELTA
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.threats import ADAPTIVE, THREATS

PAGE = "bound.md"
FIGURE = "figures/bound"
Pair = tuple[Point, Point | None]  # under the white-box attack, under the strongest A1
NAMES = {
    "linear": "linear: w x with \\|w\\| at most 1",
    GREATEST: "every 1-Lipschitz critic",
    CRITIC: "convolutions of Table XI",
}
MANY = 10_000.0  # from here on a figure is told as a power of ten


def write_page(kept: Kept) -> Path:
    """Write the page, its figure and the figures behind it; returns the page.

    Raises `ResultError`, also where nothing was measured.
    """
    records = Results(kept.results / "bound").of(DEFENCES)
    found = measured(kept)
    if found:
        write_whole(kept.docs / f"{FIGURE}.svg", svg(_picture(found)))
        every = [point for pair in found for point in pair if point is not None]
        told = [((point.label, point.threat), point) for point in every]
        rows = csv_of(("defence", "threat"), told, ("pii", "eval_acc", "ssim", "fsim"))
        write_whole(kept.docs / f"{FIGURE}.csv", rows.encode())
    page = kept.docs / PAGE
    write_whole(page, render(records, found).encode())
    return page


def measured(kept: Kept) -> list[Pair]:
    """Each setting of the grid under the white-box attack, by epsilon; and its strongest A1."""
    found = points(kept.of(replace(LFW64, threats=(THREATS[0], *ADAPTIVE))))
    names = {threat.name for threat in ADAPTIVE}
    learnt: dict[str, Point] = {}
    for point in sorted(found, key=lambda point: point.threat):
        worst = learnt.get(point.label, point)
        if point.threat in names and point["eval_acc"].mean >= worst["eval_acc"].mean:
            learnt[point.label] = point
    mine = [p for p in found if p.threat == THREATS[0].name and "pii_floor" in p.measures]
    return [(p, learnt.get(p.label)) for p in sorted(mine, key=lambda point: point["pii"].mean)]


def render(records: Sequence[Record], found: Sequence[Pair]) -> str:
    """The page as Markdown."""
    told = _told(records)
    parts = [
        "# What Theorem 1 guarantees, and what it does not",
        HOW.format(**told),
        "## In short",
        IN_SHORT.format(**told),
        "## What it says",
        STATEMENT.format(symbols=markdown(("symbol", "what it is"), SYMBOLS)),
        "## Each term",
        TERMS.format(**told),
        _terms(records),
        "## What they add up to",
        SUMS.format(**told),
        _sums(records),
        "## Would more faces help?",
        FALL.format(**told),
        _fall(records),
        "## A limit without these terms, ours",
        LIMIT.format(**told),
        *(_measured(records[0], found) if found else []),
        "## What it rests on",
        markdown(("the proof assumes", "here"), ASSUMPTIONS),
        NOT_TO_BE_HAD,
        "## What follows from it",
        GUARANTEES,
        "## What does not follow",
        NOT_GUARANTEED,
        "## How it was run",
        circumstances.told(records, "results"),
    ]
    return "\n\n".join(parts) + "\n"


def _told(records: Sequence[Record]) -> dict[str, str]:
    """The figures that stand in the text: of the first defence, where they are of one."""
    first = records[0]
    outcome, of = first.outcome, in_thousandths(first)
    least, unmatched = sums(first, GREATEST), UNIT * outcome["unmatched"]
    linear = [term(first, "linear", n) for n in _counts(first)]
    effort = first.threat["effort"]
    return {
        "label": next(iter(by_label(records))),
        "batch": str(outcome["batch"]),
        "faces": str(outcome["faces"]),
        "epsilon": f"{UNIT * outcome['epsilon']:.2f}",
        "floor": f"{UNIT * outcome['floor']:.2f}",
        "unmatched": f"{unmatched:.2f}",
        "widest": f"{of(diameter(first)):.2f}",
        "printed": f"{least.printed:.1f}",
        "error": f"{least.error:.1f}",
        "factor": f"{least.printed / unmatched:.1f}",
        "of_widest": f"{least.printed / of(diameter(first)):.1f}",
        "verdict": "vacuous" if vacuous(first) else "not vacuous",
        "gaps": " and ".join(
            f"{of(one['chosen'] - one['seen']):.2f} for {one['faces']} faces" for one in linear
        ),
        "needed": f"{needed(first):,}",
        "sure": f"{100 * (1 - 2 * DELTA):g} %",
        "once": f"{100 * (1 - DELTA):g} %",
        "lost": " and ".join(f"{value:.4f}" for value in outcome["utility_lost"]),
        "ceiling": f"{ceiling(first, UNIT * outcome['epsilon'], outcome['faces']):.2f}",
        "steep": f"{_steeper(first):,.0f}",
        "norms": ", ".join(f"{norm:.1f}" for norm in _norms(first)),
        "product": _figure(math.prod(_norms(first))),
        **{name: str(value) for name, value in effort.items()},
    }


def _norms(record: Record) -> list[float]:
    return term(record, CRITIC, record.outcome["faces"])["norms"]


def _steeper(record: Record) -> float:
    """How much further critics of such norms follow noise than every 1-Lipschitz one."""
    both = [term(record, name, record.outcome["faces"])["average"] for name in (CRITIC, GREATEST)]
    return both[0] / both[1]


def _terms(records: Sequence[Record]) -> str:
    head = ["defence", "critics", "faces", "R(F_D)", "R(H), features as sent", "R(H), of two"]
    rows: list[list[str]] = []
    for label, (record, *_) in by_label(records).items():
        of = in_thousandths(record)
        for family in FAMILIES:
            for faces in _counts(record):
                found = term(record, family, faces)
                values = (
                    f"{_figure(of(found[name]))} ± {_figure(of(found[f'{name}_error']))}"
                    for name in ("average", "seen", "chosen")
                )
                longest = found if family == CRITIC else _lengths(record)
                both = (of(longest[name]) for name in ("greatest_average", "greatest"))
                rows.append([label, NAMES[family], str(faces), *values, _pair(both)])
    return markdown([*head, "Q_avg and Q"], rows)


def _lengths(record: Record) -> dict[str, float]:
    outcome = record.outcome
    return {"greatest_average": outcome["largest_average"], "greatest": outcome["largest"]}


def _pair(values: Iterable[float]) -> str:
    return " and ".join(map(_figure, values))


def _sums(records: Sequence[Record]) -> str:
    head = [
        "defence",
        "critics",
        "Theorem 1, at least",
        "by its own steps",
        "at most",
        "Eq. 34, at least",
        "at most",
        "epsilon",
        "any pairs",
    ]
    rows: list[list[str]] = []
    for label, (record, *_) in by_label(records).items():
        beside = [f"{UNIT * record.outcome[name]:.2f}" for name in ("epsilon", "unmatched")]
        for family in FAMILIES:
            found = sums(record, family)
            values = vars(found).values()
            rows.append([label, NAMES[family], *map(_figure, values), *beside])
    return markdown(head, rows)


def _fall(records: Sequence[Record]) -> str:
    record = records[0]
    of, alone = in_thousandths(record), record.outcome["average_alone"]
    counts = {n: term(record, GREATEST, n)["average"] for n in _counts(record)}
    counts[alone["faces"]] = alone["average"]
    lines = [[f"{n:,}", f"{of(value):.2f}", f"{of(4 * value):.2f}"] for n, value in counts.items()]
    return markdown(["faces", "R(F_D), every 1-Lipschitz critic", "4 R(F_D)"], lines)


def _measured(record: Record, found: Sequence[Pair]) -> list[str]:
    faces = int(found[0][0]["faces"].mean)
    rows: list[list[str]] = []
    for white, learnt in found:
        epsilon, floor = white["pii"].times(UNIT), white["pii_floor"].times(UNIT)
        limit = ceiling(record, epsilon.mean, faces)
        worst = f"{percent(learnt['eval_acc'])} ({learnt.threat})" if learnt else "not measured"
        over = f"{epsilon.mean - floor.mean:+.3f}"
        share = percent(white["eval_acc"])
        rows.append([white.label, number(epsilon), over, f"{limit:.2f}", share, worst])
    head = ["defence", "epsilon", "over the floor", "at most, ours", "white-box", "strongest A1"]
    text = MEASURED.format(**_read(record, [white for white, _ in found]))
    return ["## Measured epsilon, and who is recognised", text, markdown(head, rows)]


def _read(record: Record, found: Sequence[Point]) -> dict[str, str]:
    """What can be read in the table."""
    count = int(found[0]["faces"].mean)
    plain = [UNIT * p["pii"].mean for p in found if p.label == UNDEFENDED]
    below = [p["eval_acc"].mean for p in found if p["pii"].mean <= p["pii_floor"].mean]
    values = [[point[name].mean for point in found] for name in ("pii", "eval_acc")]
    return {
        "faces": f"{count:,}",
        "limit": f"{ceiling(record, UNIT * found[0]['pii'].mean, count):.3f}",
        "plain": f"{plain[0]:.3f}" if plain else "(not measured)",
        "floor": f"{UNIT * found[0]['pii_floor'].mean:.3f}",
        "rank": f"{rank_correlation(*values):.2f}",
        "settings": str(len(found)),
        "below": str(len(below)),
        "most": f"{100 * max(below, default=0):.1f} %",
        "figure": FIGURE,
    }


def _picture(found: Sequence[Pair]) -> Figure:
    figure = Figure((6.4, 4.2), layout="constrained")
    plot = figure.subplots()
    both = [(white, point) for white, point in found if point is not None]
    lines = {"white-box attack": [(white, white) for white, _ in found], "strongest A1": both}
    for mark, (name, line) in zip("so", lines.items(), strict=True):
        x = [UNIT * white["pii"].mean for white, _ in line]
        plot.plot(x, [point["eval_acc"].mean for _, point in line], mark, label=name, alpha=0.7)
    floor = UNIT * found[0][0]["pii_floor"].mean
    plot.axvline(floor, color="k", ls=":", label="two samples of average faces")
    plot.set(xlabel="epsilon-PII x 1000, white-box", ylabel="Eval Acc", ylim=(0, 1))
    plot.set_title("epsilon-PII and who is recognised, LFW at 64 x 64", fontsize="medium")
    plot.legend(fontsize="small")
    plot.grid(alpha=0.3)
    return figure


def _counts(record: Record) -> list[int]:
    return sorted({int(record.outcome["batch"]), int(record.outcome["faces"])})


def _figure(value: float) -> str:
    """Two decimals; a power of ten where it is great."""
    return f"{value:.2f}" if value < MANY else f"{value:.1e}"
