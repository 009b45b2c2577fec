"""The paper's Figures 5 to 16 in its own form, from what was measured on LFW at 64 x 64 pixels.

Nothing of the paper is drawn in but figures that it prints; none is read off a plot.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from facecrafter.paper import canvas, lessons, responses
from facecrafter.paper.figures import MARKS, UNDEFENDED, csv_of, panel, svg
from facecrafter.paper.files import write_whole
from facecrafter.paper.kept import Kept
from facecrafter.paper.points import ANY, STRONGEST, Point, by_label, points
from facecrafter.paper.store import Record
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.curve import LFW64_CURVE
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.tables.rivals import LFW64_RIVALS
from facecrafter.paper.threats import ADAPTIVE, ELSEWHERE, ONE_DECODER, THREATS, epochs_of

SEEN = {"eval_acc": "Eval Acc", "ssim": "SSIM", "fsim": "FSIM"}  # of a face; lower is more private
BASIC = tuple(threat.name for threat in THREATS)
LEARNT = tuple(threat.name for threat in ADAPTIVE[:2])  # the paper's A1: white-box, black-box
OTHERS = tuple(threat.name for threat in ELSEWHERE)
SUBJECT = "Crafter"
GAMES = ("AdversarialLearning", "Disco")  # the paper's rivals in the deployment scenario
IMAGES = ("Fawkes", "LowKey")  # those that change the photograph
SEVERAL = 3  # settings of a defence, to tell in what order they are; ours


@dataclass(frozen=True)
class Redrawn:
    """A figure that can be drawn."""

    number: int  # the paper's
    title: str
    told: str  # how to read it, and in what it is another one than the paper's
    rows: str  # CSV: the figures behind it
    picture: Figure

    @property
    def name(self) -> str:
        """Of its files, without suffix."""
        return f"figure-{self.number}"

    def write(self, folder: Path) -> None:
        """Draw it (SVG) and write the figures behind it (CSV). Raises `ResultError`."""
        self.picture.suptitle(f"Figure {self.number}, on LFW at 64 x 64: {self.title}")
        write_whole(folder / f"{self.name}.svg", svg(self.picture))
        write_whole(folder / f"{self.name}.csv", self.rows.encode())


def redrawn(kept: Kept) -> Iterator[Redrawn]:
    """All that can be drawn of what was measured, by number."""
    early = (_responses, *map(_tradeoff, BASIC), _development, _pii)
    for make in (*early, *map(_epochs, LEARNT), _heat, _priors, _cloaks):
        found = make(kept)
        if found is not None:
            yield found


def _responses(kept: Kept) -> Redrawn | None:
    """Figure 5: best responses of plain and of protected features, and the prior."""
    labels = by_label([record for record in kept.responses if record.seed == 0])
    if not labels:
        return None
    figure, plots = canvas.row(len(labels))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["defence", "kind", "first", "second"])
    colours = dict(zip(responses.KINDS, ("r", "b", "g"), strict=True))  # the paper's
    for plot, (label, (record, *_)) in zip(plots, labels.items(), strict=True):
        for kind, name in responses.KINDS.items():
            at = record.outcome["places"][kind]
            x, y = zip(*at, strict=True)
            plot.scatter(x, y, s=9, c=colours[kind], alpha=0.6, label=name)
            writer.writerows([label, name, *place] for place in at)
        plot.set_title(label, fontsize="small")
    plots[0].legend(fontsize="small")
    return Redrawn(
        5,
        "where best responses lie",
        "Latent vectors of one batch on the plane along which they differ most: z_org explains a "
        "plain feature, z* a protected one, z_r is drawn from the prior. The distances in the "
        "table above are of all dimensions.",
        text.getvalue(),
        figure,
    )


def _tradeoff(threat: str) -> Callable[[Kept], Redrawn | None]:
    """Figures 6 to 8, and 19 to 21 (FSIM)."""

    def draw(kept: Kept) -> Redrawn | None:
        grid = [p for p in _points(kept.of(LFW64)) if p.threat == threat]
        found = [*grid, *(p for p in _of_rivals(kept, GAMES) if p.threat == threat)]
        if not grid:
            return None
        figure, plots = canvas.row(len(SEEN), beside=2)
        for plot, (measure, name) in zip(plots, SEEN.items(), strict=True):
            panel(plot, found, threat, measure)
            plot.set(title="", ylabel=f"{name} (lower is more private)", ylim=(0, 1))
        paper = LFW64.reported.get((UNDEFENDED, threat))
        if paper is not None:
            told = f"paper, LFW, no defence: {100 * paper.eval_acc:.2f} %"
            plots[0].axhline(paper.eval_acc, color="k", ls=":", label=told)
        named = plots[0].get_legend_handles_labels()
        figure.legend(*named, loc="outside right center", fontsize="x-small")
        return Redrawn(
            6 + BASIC.index(threat),
            f"privacy and use against the {threat} attack",
            "A curve for each defence, a point for each of its settings; the black square is the "
            "ideal. The dotted line is what the paper prints for LFW without a defence, at 128 x "
            "128 pixels and with another judge. FSIM is in the paper's Figures 19 to 21. Adv "
            "Learning and Disco are attacked with the decoder of their game, as in the paper, the "
            "others with three; what reads their features that learnt after the game, and the "
            "other defences of others, is in [rivals](rivals.md).",
            _rows(found, ("auc", *SEEN)),
            figure,
        )

    return draw


def _development(kept: Kept) -> Redrawn | None:
    """Figure 9: AUC of what f learnt from releases, Eval Acc of attacks on such releases."""
    useful = {
        _key(record): record.outcome["public_auc"]
        for record in kept.development
        if record.threat["name"] == "attributes" and record.seed == 0
    }
    mine = [r for r in _attacked(kept) if r.seed == 0 and _key(r) in useful]
    found = [_with_any_decoders(point) for point in _points(mine)]
    if not found:
        return None
    auc = {label: useful[_key(records[0])] for label, records in by_label(mine).items()}
    lines = [((p.label, p.threat, f"{auc[p.label]:.6f}"), p) for p in found]
    figure, grid = canvas.grid(2, len(SEEN), beside=2)
    for plots, threat in zip(grid, BASIC, strict=False):
        for plot, (measure, name) in zip(plots, SEEN.items(), strict=True):
            for number, label in enumerate(auc):  # in all panels alike
                mark, colour = MARKS[number % len(MARKS)], f"C{number}"
                for p in found:
                    if (p.threat, p.label) == (threat, label):
                        plot.plot([auc[label]], [p[measure].mean], mark, color=colour, label=label)
            plot.set(title=threat, xlabel="mean AUC of f, public faces", ylabel=name, ylim=(0, 1))
            plot.grid(alpha=0.3)
    named = [plots[0].get_legend_handles_labels() for plots in grid]
    shown = {
        label: mark for one in named for mark, label in zip(*one, strict=True)
    }  # not every defence was searched
    figure.legend([*shown.values()], [*shown], loc="outside right center", fontsize="x-small")
    return Redrawn(
        9,
        "f is trained on releases (development)",
        "AUC is that of a network which the cloud trained on releases of private train "
        "photographs, asked about public faces; the other axis is what attacks make of the "
        "same defences' releases of private test photographs. In the paper Enc is a general "
        "extractor, here it is that of the deployment scenario, and TIPRDC's begins with that. The "
        "black-box attacker has one decoder where a defence stands in [rivals](rivals.md) alone, "
        "else three.",
        csv_of(("defence", "threat", "auc_of_f"), lines, tuple(SEEN)),
        figure,
    )


def _attacked(kept: Kept) -> Iterator[Record]:
    """Basic white-box and black-box cells; with one decoder where none has three."""
    names = (*BASIC[:2], BASIC[1] + ONE_DECODER)
    mine = [r for r in kept.cells if r.scene == LFW64.scene and r.threat["name"] in names]
    several = {_key(record) for record in mine if record.threat["name"] == BASIC[1]}
    for record in mine:
        if record.threat["name"] != names[-1] or _key(record) not in several:
            yield record


def _pii(kept: Kept) -> Redrawn | None:
    """Figure 10: what is recognised of Crafter's settings, in the order of epsilon."""
    found = by_epsilon(kept)
    if not found:
        return None
    families = list(dict.fromkeys(family for family, _ in found))
    figure, grid = canvas.grid(len(families), len(BASIC))
    for (family, threat), line in found.items():
        plot = grid[families.index(family)][BASIC.index(threat)]
        values = np.array([[point[name].mean for name in SEEN] for point in line])
        told = [f"{1000 * point['pii'].mean:.3f}" for point in line]
        canvas.heat_map(plot, values, told, list(SEEN.values()))
        plot.set_title(f"{family}, {threat}", fontsize="small")
        plot.set_ylabel("epsilon x 10^3")
    return Redrawn(
        10,
        "epsilon-PII of Crafter",
        "A line for each beta, in the order of epsilon, the least above; darker is less private. "
        "Where epsilon tells what the three measures tell, each column gets darker downwards.",
        _rows([point for line in found.values() for point in line], ("pii", *SEEN)),
        figure,
    )


def by_epsilon(kept: Kept) -> dict[tuple[str, str], list[Point]]:
    """Crafter's settings in the order of epsilon, for each family with several, and each threat."""
    mine = [r for r in kept.of(LFW64) if r.defence["name"] == SUBJECT]
    lines: dict[tuple[str, str], list[Point]] = {}
    for point in sorted(_points(mine), key=lambda point: (point.family, point["pii"].mean)):
        lines.setdefault((point.family, point.threat), []).append(point)
    return {key: line for key, line in lines.items() if len(line) >= SEVERAL}


def _epochs(threat: str) -> Callable[[Kept], Redrawn | None]:
    """Figures 11 and 12: the paper's A1 over epochs; without one it is the basic attack."""

    def draw(kept: Kept) -> Redrawn | None:
        along = epochs(threat)
        records = [*kept.of(LFW64_CURVE), *kept.of(LFW64_ADAPTIVE)]
        mine = [r for r in _once(records) if r.threat["name"] in along.values()]
        curves = _lines(_points(mine), along)
        if not curves:
            return None
        lines = [
            ((label, point.threat, number), point)
            for label, line in curves.items()
            for number, point in line.items()
        ]
        figure, plots = canvas.row(len(SEEN))
        for plot, (measure, name) in zip(plots, SEEN.items(), strict=True):
            for label, line in curves.items():
                y = [point[measure].mean for point in line.values()]
                plot.plot(list(line), y, "o-", label=label)
            plot.set(xlabel="epochs", ylabel=name, ylim=(0, 1))
            plot.grid(alpha=0.3)
        plots[0].legend(fontsize="x-small")
        return Redrawn(
            11 + LEARNT.index(threat),
            f"{threat} over epochs",
            "At 0 is the basic attack, as in the paper; then what an attacker gets who goes on "
            "learning from releases of public faces. FSIM is in the paper's Figures 22 and 23. Adv "
            "Learning was measured for 20 epochs alone ([rivals](rivals.md)).",
            csv_of(("defence", "threat", "epochs"), lines, tuple(SEEN)),
            figure,
        )

    return draw


def epochs(threat: str) -> dict[int, str]:
    """Names of the basic attack and of the A1 that begins as it does, by epochs of learning."""
    basic = threat.removesuffix(" A1")
    full = next(one for one in ADAPTIVE if one.name == threat)
    whole = {epochs_of(full): full.name}
    along = lessons.steps(full, lessons.AXES[1]) if full in lessons.FULL else whole
    return {0: basic, **along}


def _heat(kept: Kept) -> Redrawn | None:
    """Figure 14: defences against the paper's five attacks, and what they leave of use."""
    five = (*BASIC, *LEARNT)
    own = _points(kept.of(LFW64_ADAPTIVE))
    found = [p for p in (*own, *_of_rivals(kept, GAMES)) if p.threat in five]
    labels = list(dict.fromkeys(point.label for point in found))
    if not found:
        return None
    told = {(point.label, point.threat): point for point in found}
    shares = [[_mean(told.get((label, one)), "eval_acc") for one in five] for label in labels]
    aucs = [[_mean(next(p for p in found if p.label == label), "auc")] for label in labels]
    figure = Figure(figsize=(9, 0.5 * len(labels) + 2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(len(five), 1))
    canvas.heat_map(left, np.array(shares), labels, five)
    canvas.heat_map(right, np.array(aucs), [""] * len(labels), ["mean AUC"], "Blues")
    return Redrawn(
        14,
        "Eval Acc against five attacks, and what is left of use",
        "Redder is less private, bluer more useful. The paper takes the mean over betas; here each "
        "setting has its line. Of Adv Learning and Disco the first black-box attack and the hybrid "
        "one have the decoder of the game; their white-box A1 was not measured. Stronger attacks "
        "that learn, ours, are in [adaptive](adaptive.md) and [rivals](rivals.md).",
        _rows(found, ("eval_acc", "auc")),
        figure,
    )


def _priors(kept: Kept) -> Redrawn | None:
    """Figure 15: the white-box attack with other generators."""
    found = _points(kept.of(LFW64_PRIORS))
    labels = list(dict.fromkeys(point.label for point in found))
    present = [name for name in OTHERS if any(point.threat == name for point in found)]
    if len(present) < 2:
        return None
    measures = ("eval_acc", "fsim")
    figure, plots = canvas.row(len(measures))
    for plot, measure in zip(plots, measures, strict=True):
        for number, threat in enumerate(present):
            mine = {point.label: point for point in found if point.threat == threat}
            height = [_mean(mine.get(label), measure) for label in labels]
            places = np.arange(len(labels)) + (number + 0.5) / (len(present) + 1) - 0.5
            name = threat.partition(", ")[2] or "the device's own"
            plot.bar(places, height, 1 / (len(present) + 1), label=name)
        plot.set_xticks(range(len(labels)), labels, fontsize="x-small", rotation=20, ha="right")
        plot.set(ylabel=SEEN[measure], ylim=(0, 1))
    plots[0].legend(fontsize="x-small")
    return Redrawn(
        15,
        "other generators (A2)",
        "White-box attacks with the device's own generator and with others, which "
        "[priors](priors.md) describes.",
        _rows([point for point in found if point.threat in present], measures),
        figure,
    )


def _cloaks(kept: Kept) -> Redrawn | None:
    """Figure 16: defences that change the photograph, and Crafter."""
    mine = _of_rivals(kept, (UNDEFENDED, SUBJECT, *IMAGES))
    found = [point for point in mine if point.threat in BASIC]
    if not any(point.family.startswith(IMAGES) for point in found):
        return None
    measures = dict(list(SEEN.items())[:2])
    figure, grid = canvas.grid(len(measures), len(BASIC), beside=2)
    for plots, (measure, name) in zip(grid, measures.items(), strict=True):
        for plot, threat in zip(plots, BASIC, strict=True):
            panel(plot, found, threat, measure)
            plot.set_ylabel(f"{name} (lower is more private)")
    named = grid[0][0].get_legend_handles_labels()
    figure.legend(*named, loc="outside right center", fontsize="x-small")
    return Redrawn(
        16,
        "defences that change the photograph, and Crafter",
        "A curve for each defence, a point for each of its settings; all attackers have one "
        "decoder. *encoder*: the photograph was changed so that Enc misreads it (VI-D, text). Who "
        "learns from what these defences release is in [rivals](rivals.md).",
        _rows(found, ("auc", *measures)),
        figure,
    )


def _of_rivals(kept: Kept, names: Sequence[str]) -> list[Point]:
    """Points of these defences in the table of rivals.

    An attack with one decoder has the name of that with three. The variant of a defence that Enc is
    to misread (VI-D) is another family.
    """
    mine = [record for record in kept.of(LFW64_RIVALS) if record.defence["name"] in names]
    variants = [record for record in mine if record.defence.get("evades") == "encoder"]
    others = [record for record in mine if record not in variants]
    found = [
        *sorted(_points(others), key=lambda point: point.label),
        *(
            replace(point, family=f"{point.family}, encoder", label=f"{point.label}, encoder")
            for point in _points(variants)
        ),
    ]
    return [_with_any_decoders(point) for point in found]


def _with_any_decoders(point: Point) -> Point:
    """Under the name of the attack, however many decoders it has."""
    return replace(point, threat=point.threat.removesuffix(ONE_DECODER))


def _points(records: Sequence[Record]) -> list[Point]:
    """Points of real attacks alone; none where there is no record."""
    return [point for point in points(records) if point.threat not in (STRONGEST, ANY)]


def _rows(found: Sequence[Point], measures: Sequence[str]) -> str:
    """CSV: a row for each point."""
    return csv_of(("defence", "threat"), [((p.label, p.threat), p) for p in found], measures)


def _once(records: Sequence[Record]) -> list[Record]:
    """Two tables may share a cell."""
    return list({id(record): record for record in records}.values())


def _key(record: Record) -> str:
    return json.dumps(record.defence, sort_keys=True)


def _lines(found: Sequence[Point], along: Mapping[int, str]) -> dict[str, dict[int, Point]]:
    """Of each defence that has two points: by epochs."""
    told = {(point.label, point.threat): point for point in found}
    lines = {
        label: {n: told[label, name] for n, name in along.items() if (label, name) in told}
        for label in dict.fromkeys(point.label for point in found)
    }
    return {label: line for label, line in lines.items() if len(line) > 1}


def _mean(point: Point | None, measure: str) -> float:
    """Not a number where it was not measured, which leaves an empty place."""
    return float("nan") if point is None else point[measure].mean
