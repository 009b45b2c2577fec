"""1:1 verification of reconstructions, as a section of a page."""

from collections.abc import Sequence

from facecrafter.paper.markdown import markdown, percent
from facecrafter.paper.measure import VERIFIED
from facecrafter.paper.points import ANY, STRONGEST, Point

_HOW = """\
A face matcher compares each reconstruction with the person's other test photographs, and with those
of others (the judge's embeddings, their cosine). Its threshold is set on these pairs so that 1 % or
0.1 % of those that show two people pass (FAR). TAR is the share of pairs of one person that passes,
for each reconstruction, and the mean of that: lower is more private. It asks whether a face would
confirm who somebody is, where Eval Acc asks for the nearest of all."""

_MISSING = (
    "{told} of {all} rows of the page: the others were measured before this was, and their faces "
    "are not kept."
)


def section(found: Sequence[Point], labels: Sequence[str]) -> list[str]:
    """Paragraphs of the section; none where nothing was verified. `labels`: the defences."""
    real = [point for point in found if point.threat not in (STRONGEST, ANY)]
    mine = [point for point in real if point.measures.keys() >= VERIFIED]
    if not mine:
        return []
    head = ["defence", "threat", "TAR at FAR 1 %", "95 %", "TAR at FAR 0.1 %", "95 %"]
    rows = [_row(point) for label in labels for point in mine if point.label == label]
    missing = [_MISSING.format(told=len(mine), all=len(real))] if len(mine) < len(real) else []
    return ["## Is it the same person?", _HOW, markdown(head, rows), *missing]


def _row(point: Point) -> list[str]:
    told = [point.label, point.threat]
    for name in VERIFIED:
        low, high = point[f"{name}_low"].low, point[f"{name}_high"].high
        told += [percent(point[name]), f"{100 * low:.1f} to {100 * high:.1f} %"]
    return told
