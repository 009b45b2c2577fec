"""Points with an Eval Acc alone."""

from facecrafter.paper.points import Point, Spread


def point(label: str, threat: str, eval_acc: float) -> Point:
    """Of a defence that is its own family, with one seed."""
    return Point(label, label, threat, 1, {"eval_acc": Spread.of([eval_acc])})
