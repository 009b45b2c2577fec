"""What it adds that an attacker learns from the defence (A1), as a section of a page."""

from collections.abc import Sequence

from facecrafter.paper.markdown import markdown
from facecrafter.paper.points import ANY, STRONGEST, Point
from facecrafter.paper.threats import ADAPTIVE, PLAYING, THREATS

OF_THE_PAPER = tuple(f"{threat.name} A1" for threat in THREATS[:2])  # Figs. 11 and 12
HEAD = (
    "defence",
    "strongest basic",
    "strongest A1 of the paper",
    "strongest A1",
    "gain of the former, points",
    "gain of the latter, points",
)

HELPS = 5  # points from which an attack is said to help; ours


def rows(found: Sequence[Point], labels: Sequence[str]) -> list[list[str]]:
    """For each defence its strongest basic and adaptive attacks; none where no A1 was measured."""
    learning = [threat.name for threat in ADAPTIVE]
    basic = [threat.name for threat in (*THREATS, *PLAYING) if threat.name not in learning]
    told: list[list[str]] = []
    for label in labels:
        mine = {
            p.threat: p["eval_acc"].mean
            for p in found
            if p.label == label and p.threat not in (STRONGEST, ANY)
        }
        before, papers, ours = (_best(mine, names) for names in (basic, OF_THE_PAPER, learning))
        if ours is not None and before is not None:
            gains = [_gain(before, after) for after in (papers, ours)]
            told.append([label, *map(_told, (before, papers, ours)), *gains])
    return told


def section(found: Sequence[Point], labels: Sequence[str]) -> list[str]:
    """Paragraphs of the section; none where no A1 was measured."""
    told = rows(found, labels)
    head = "## Does it help to learn from the defence?"
    return [head, answer(told), markdown(HEAD, told)] if told else []


def answer(told: Sequence[Sequence[str]]) -> str:
    """Whether A1 helps, in sentences, from the rows."""
    kinds = {"A1": -1, "The A1 of the paper alone": -2}
    texts = [
        f"**{kind} helps**, by more than {HELPS} points, against {'; '.join(helped)}."
        for kind, column in kinds.items()
        if (helped := [f"{row[0]} ({row[column]} points)" for row in told if _helped(row[column])])
    ]
    if not texts:
        return f"No A1 attack gains more than {HELPS} points on the strongest basic one."
    return " ".join([*texts, "The paper (VI-C) finds that it does not help against Crafter."])


def _gain(before: tuple[str, float], after: tuple[str, float] | None) -> str:
    if after is None:
        return "not measured"
    return f"{round(100 * (after[1] - before[1]), 1) + 0.0:+.1f}"  # no -0.0


def _helped(gain: str) -> bool:
    return gain[0] in "+-" and float(gain) > HELPS


def _best(mine: dict[str, float], names: Sequence[str]) -> tuple[str, float] | None:
    present = [(name, mine[name]) for name in names if name in mine]
    return max(present, key=lambda pair: pair[1], default=None)


def _told(best: tuple[str, float] | None) -> str:
    return "not measured" if best is None else f"{100 * best[1]:.1f} % ({best[0]})"
