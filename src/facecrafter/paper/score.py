"""One number for privacy and use together, to rank defences by.

The Defence Capability Score of VFLAIR (Zou et al., 2023, arXiv 2310.09827): how near a defence
comes to what would be ideal, nobody recognised and nothing lost. A single number hides how a
defence comes by it, so it stands beside the figures that it is made of, never in their place.
"""

from collections.abc import Sequence

from facecrafter.paper.figures import UNDEFENDED
from facecrafter.paper.markdown import markdown
from facecrafter.paper.points import ANY, STRONGEST, Point

WEIGHT = 0.5  # of the lost AUC against the share recognised; ours

_HOW = f"""\
The Defence Capability Score of VFLAIR, 1 / (1 + sqrt({1 - WEIGHT:g} a^2 + {WEIGHT:g} d^2)), for
ranking: a is Eval Acc, d what the AUC drops by; 1 is ideal. Against the strongest attack here,
which is the one that counts, and the mean over all attacks, as VFLAIR has it. A point of Eval Acc
weighs as much as .01 of AUC: whoever sees that otherwise will rank otherwise. A defence that was
attacked less looks better, so the number of attacks stands beside it."""


def score(recognised: float, drop: float) -> float:
    """DCS: 1 for nobody recognised and no AUC lost, less otherwise.

    `recognised`: Eval Acc, 0 to 1. `drop`: AUC without a defence less AUC; a gain counts as 0.
    """
    away = (1 - WEIGHT) * recognised**2 + WEIGHT * max(drop, 0.0) ** 2
    return 1 / (1 + away**0.5)


def section(found: Sequence[Point], labels: Sequence[str]) -> list[str]:
    """Paragraphs of the section, the best defence first; none where no plain feature was measured.

    `labels`: the defences.
    """
    plain = [p["auc"].mean for p in found if p.family == UNDEFENDED and p.threat == STRONGEST]
    if not plain:
        return []
    rows = sorted((_row(found, label, plain[0]) for label in labels), reverse=True)
    head = ["defence", "DCS, strongest attack", "DCS, mean over attacks", "attacks"]
    told = [
        [label, f"{worst:.3f}", f"{mean:.3f}", str(count)] for worst, mean, count, label in rows
    ]
    return ["## One score for both", _HOW, markdown(head, told)]


def _row(found: Sequence[Point], label: str, plain: float) -> tuple[float, float, int, str]:
    """Score against the strongest, mean over attacks, how many these are, and the label."""
    mine = {point.threat: _of(point, plain) for point in found if point.label == label}
    attacks = [value for threat, value in mine.items() if threat not in (STRONGEST, ANY)]
    return mine[STRONGEST], sum(attacks) / len(attacks), len(attacks), label


def _of(point: Point, plain: float) -> float:
    return score(point["eval_acc"].mean, plain - point["auc"].mean)
