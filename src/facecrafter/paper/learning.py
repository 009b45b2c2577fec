"""What it adds that an attacker learns from the defence (A1), as a section of a page."""

from collections.abc import Sequence

from facecrafter.paper.markdown import markdown
from facecrafter.paper.points import ANY, STRONGEST, Point
from facecrafter.paper.threats import ADAPTIVE, THREATS

OF_THE_PAPER = tuple(f"{threat.name} A1" for threat in THREATS[:2])  # Figs. 11 and 12
HEAD = ("defence", "strongest basic", "strongest A1 of the paper", "strongest A1", "gain, points")


def rows(found: Sequence[Point], labels: Sequence[str]) -> list[list[str]]:
    """For each defence its strongest basic and adaptive attacks; none where no A1 was measured."""
    basic = [threat.name for threat in THREATS]
    learning = [threat.name for threat in ADAPTIVE]
    told: list[list[str]] = []
    for label in labels:
        mine = {
            p.threat: p["eval_acc"].mean
            for p in found
            if p.label == label and p.threat not in (STRONGEST, ANY)
        }
        before, papers, ours = (_best(mine, names) for names in (basic, OF_THE_PAPER, learning))
        if ours is not None and before is not None:
            gain = f"{round(100 * (ours[1] - before[1]), 1) + 0.0:+.1f}"  # no -0.0
            told.append([label, _told(before), _told(papers), _told(ours), gain])
    return told


def section(found: Sequence[Point], labels: Sequence[str]) -> list[str]:
    """Paragraphs of the section; none where no A1 was measured."""
    told = rows(found, labels)
    head = "## Does it help to learn from the defence?"
    return [head, answer(told), markdown(HEAD, told)] if told else []


def answer(told: Sequence[Sequence[str]]) -> str:
    """Whether A1 helps, in a sentence, from the rows."""
    gains = {row[0]: float(row[-1]) for row in told}
    helped = [f"{label} ({gain:+.1f} points)" for label, gain in gains.items() if gain > 5]
    if not helped:
        return "No A1 attack gains more than 5 points on the strongest basic one."
    return (
        "**A1 helps**, by more than 5 points against " + "; ".join(helped) + ". The paper (VI-C) "
        "finds that it does not help against Crafter. A deep decoder that is told, beside "
        "pixels, what Enc sees in its face reads what a defence leaves of the photograph."
    )


def _best(mine: dict[str, float], names: Sequence[str]) -> tuple[str, float] | None:
    present = [(name, mine[name]) for name in names if name in mine]
    return max(present, key=lambda pair: pair[1], default=None)


def _told(best: tuple[str, float] | None) -> str:
    return "not measured" if best is None else f"{100 * best[1]:.1f} % ({best[0]})"
