"""What the measured terms of Theorem 1 and Eq. 34 add up to, in units of epsilon."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from facecrafter.paper.bound import (
    Terms,
    equation_34,
    faces_needed,
    network_complexity,
    theorem_1,
    theorem_1_summed,
    upper_limit,
)
from facecrafter.paper.bound_results import CRITIC
from facecrafter.paper.store import Record
from facecrafter.paper.tables.bound import DELTA

GREATEST = "1-Lipschitz"  # the family that epsilon-PII is measured with
UNIT = 1000.0  # epsilon is told in thousandths


@dataclass(frozen=True)
class Sums:
    """Bounds for one family of critics, in thousandths of epsilon."""

    printed: float  # Theorem 1, Eq. 17 as printed; at least
    summed: float  # the same as its steps give it; at least
    theorem_most: float  # Eq. 17 by closed forms; at most
    error: float  # Eq. 34; at least
    error_most: float  # at most


def sums(record: Record, family: str) -> Sums:
    """Theorem 1 for the faces of one batch, Eq. 34 for all that were attacked."""
    batch, faces = int(record.outcome["batch"]), int(record.outcome["faces"])
    of = in_thousandths(record)
    least, most = at_least(record, family, batch), at_most(record, family, batch)
    return Sums(
        of(theorem_1(least, DELTA)),
        of(theorem_1_summed(least, DELTA)),
        of(theorem_1(most, DELTA)),
        of(equation_34(at_least(record, family, faces), DELTA)),
        of(equation_34(at_most(record, family, faces), DELTA)),
    )


def at_least(record: Record, family: str, faces: int) -> Terms:
    """Terms as estimated: none is greater than the theorem's, but for the chance of the draws."""
    found, outcome = term(record, family, faces), record.outcome
    seen = max(found["seen"], found["chosen"])
    if family == CRITIC:
        return Terms(found["average"], seen, found["greatest_average"], found["greatest"], faces)
    return Terms(found["average"], seen, outcome["largest_average"], outcome["largest"], faces)


def at_most(record: Record, family: str, faces: int) -> Terms:
    """Terms that hold for any pictures: none is smaller than the theorem's.

    R(H) is then no less than Q: each feature is free, so each face may follow its sign.
    """
    found, largest = term(record, family, faces), diameter(record)
    norms = found["norms"] if family == CRITIC else [1.0]
    greatest = largest * math.prod(norms)
    average = network_complexity(largest, norms, faces)
    if family == GREATEST:  # no closed form: two standard errors above the exact mean
        average = found["average"] + 2 * found["average_error"]
    if family == "linear":
        average = largest / math.sqrt(faces)
    return Terms(average, greatest, greatest, greatest, faces)


def term(record: Record, family: str, faces: int) -> Mapping[str, Any]:
    """What was measured for a family on so many faces."""
    every = record.outcome["terms"]
    return next(one for one in every if (one["family"], one["faces"]) == (family, faces))


def in_thousandths(record: Record) -> Callable[[float], float]:
    """Euclidean distance to thousandths of epsilon, which is over the image size."""
    values = record.outcome["values"]
    return lambda distance: UNIT * distance / values


def diameter(record: Record) -> float:
    """Between two pictures of pixels from 0 to 1, Euclidean; no picture is longer, either."""
    return math.sqrt(record.outcome["values"])


def ceiling(record: Record, epsilon: float, faces: int) -> float:
    """Ours: what the true epsilon does not exceed; both in thousandths."""
    wide = in_thousandths(record)(diameter(record))
    return upper_limit(epsilon, wide, faces, DELTA)


def vacuous(record: Record, family: str = GREATEST) -> bool:
    """Whether pairs at random are as near as Theorem 1 promises, for 1-Lipschitz critics."""
    return sums(record, family).printed >= UNIT * record.outcome["unmatched"]


def needed(record: Record) -> int:
    """Faces until the last term of Eq. 34 alone tells the measured epsilon from random pairs."""
    of, outcome = in_thousandths(record), record.outcome
    longest = of(outcome["largest_average"] + outcome["largest"])
    return faces_needed(longest, UNIT * (outcome["unmatched"] - outcome["epsilon"]), DELTA)
