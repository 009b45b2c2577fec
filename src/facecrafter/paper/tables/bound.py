"""Which defences Theorem 1 and Eq. 34 are evaluated for, on LFW at 64 x 64.

Measured by `facecrafter bound --root LFW`. Number to expect: a bound at least six times as great as
the epsilon that it is about.
"""

from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import PixelOpponent
from facecrafter.defences.utility import TaskUtility

_PIXELS = PixelOpponent(bfloat16=True)

DEFENCES: tuple[AbstractDefence, ...] = (
    Crafter(0.0025, opponent=_PIXELS),
    Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
)
DELTA = 0.025  # either inequality may fail so often, so 0.95 is left for both; ours
