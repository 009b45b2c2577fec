"""Theorem 1 and Eq. 34: what they add up to, term by term (App. D).

A family of critics D gives a distance of two distributions, the greatest difference of means of D.
Epsilon is that of what the attacker reconstructs from average faces; epsilon* is the least that any
feature with the same utility loss could have. Theorem 1 bounds epsilon - epsilon*, Eq. 34 how far a
measured epsilon is from the true one. Both rest on Rademacher complexities (`complexity`), on the
greatest value Q of a critic, and on how many faces there are.

Distances are Euclidean over all values of an image; epsilon is that over their number
(`metrics.pii`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facecrafter.errors import SettingError


@dataclass(frozen=True)
class Terms:
    """What both bounds are made of, for one family of critics and one number of faces."""

    average: float  # R(F_D): Rademacher complexity of the critics on average faces
    seen: float  # R(H): of critics and features together, on what the attacker sees
    greatest_average: float  # Q_avg: greatest |D| on average faces
    greatest: float  # Q: the same on what the attacker sees
    count: int  # b (the paper also writes bs): faces, and as many average faces

    def __post_init__(self) -> None:
        told = (self.average, self.seen, self.greatest_average, self.greatest)
        if not all(0 <= value < math.inf for value in told):
            raise SettingError(f"{self}: complexities and greatest values are finite and from 0.")
        _require_count(self.count)


def greatest_value(largest: float, norms: Sequence[float]) -> float:
    """Q of Eq. 28: the largest norm of an image times the norms of all layers.

    The slopes L_w of the activations are left out: those of Eq. 18's critics here are 1 at most.
    """
    if not (0 <= largest < math.inf and all(0 <= norm < math.inf for norm in norms)):
        raise SettingError(f"largest={largest}, norms={list(norms)}: give finite ones from 0.")
    return largest * math.prod(norms)


def confidence(greatest: float, count: int, delta: float) -> float:
    """McDiarmid's term of Eqs. 29, 31 and 32: 2 Q sqrt(log(1/delta) / 2b).

    `delta`: the probability, between 0 and 1, with which one of the two inequalities may fail.
    Raises `SettingError`.
    """
    return 2 * greatest * _root(count, delta)


def theorem_1(terms: Terms, delta: float) -> float:
    """Eq. 17 as printed: epsilon - epsilon* is at most this, with probability 1 - 2 delta.

    4 R(F_D) + 4 R(H) + 2 (Q_avg + Q) sqrt(log(1/delta) / 2b). Raises `SettingError`.
    """
    sides = confidence(terms.greatest_average + terms.greatest, terms.count, delta)
    return 4 * terms.average + 4 * terms.seen + sides


def theorem_1_summed(terms: Terms, delta: float) -> float:
    """What the sum of the paper's own steps gives: Eq. 24 + Eq. 25 + twice Eq. 26.

    Each of the four is at most Eq. 31 or 32, so the last term is twice what Eq. 17 prints. Raises
    `SettingError`.
    """
    seen, average = _deviations(terms, delta)
    return 2 * average + 2 * seen


def equation_34(terms: Terms, delta: float) -> float:
    """How far a measured epsilon is from the true one, at most, with probability 1 - 2 delta.

    2 R(F_D) + 2 R(H) + 2 (Q_avg + Q) sqrt(log(1/delta) / 2b); the paper writes it for the measured
    one minus the true one, its proof holds for both signs. Raises `SettingError`.
    """
    return sum(_deviations(terms, delta))


def network_complexity(largest: float, norms: Sequence[float], count: int) -> float:
    """A closed form that the Rademacher complexity of Eq. 18's critics cannot exceed.

    Golowich, Rakhlin and Shamir (COLT 2018, Theorem 1), for d layers of Frobenius norms M_i and
    activations like (leaky) ReLU: B (sqrt(2 d log 2) + 1) M_1 ... M_d / sqrt(b). The paper names
    no such form.
    """
    _require_count(count)
    depth = math.sqrt(2 * math.log(2) * len(norms)) + 1
    return depth * greatest_value(largest, norms) / math.sqrt(count)


def upper_limit(epsilon: float, diameter: float, count: int, delta: float) -> float:
    """Ours: the true earth mover's distance is at most this, with probability 1 - delta.

    The distance is a supremum of means, so that of samples is on average no less than the true
    one, and no Rademacher complexity is needed for this side. One sample of 2b moves it by
    `diameter` / b at most; McDiarmid's inequality gives the rest. `epsilon` and `diameter` in one
    unit. Raises `SettingError`.
    """
    return epsilon + diameter * math.sqrt(2) * _root(count, delta)


def faces_needed(greatest: float, aim: float, delta: float) -> int:
    """How many faces until the last term of Eq. 34, for Q_avg + Q = `greatest`, is below `aim`."""
    if not 0 < aim < math.inf:
        raise SettingError(f"aim={aim}: a distance above 0 can be aimed at.")
    return math.ceil((confidence(greatest, 1, delta) / aim) ** 2)


def _deviations(terms: Terms, delta: float) -> tuple[float, float]:
    """Eq. 31: C, and Eq. 32: R. How far means over samples stray, for all critics at once."""
    seen = 2 * terms.seen + confidence(terms.greatest, terms.count, delta)
    average = 2 * terms.average + confidence(terms.greatest_average, terms.count, delta)
    return seen, average


def _root(count: int, delta: float) -> float:
    _require_count(count)
    if not 0 < delta < 1:
        raise SettingError(f"delta={delta}: a probability between 0 and 1, such as 0.025.")
    return math.sqrt(math.log(1 / delta) / (2 * count))


def _require_count(count: int) -> None:
    if not count >= 1:
        raise SettingError(f"{count} faces: a bound over samples needs 1 or more.")
