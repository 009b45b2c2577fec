"""Where best responses lie (Fig. 5), on LFW at 64 x 64.

Measured by `facecrafter locate --root LFW`. The paper shows that those of crafted features lie
where the prior does, and prints no figure.
"""

from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility

_PIXELS = PixelOpponent(bfloat16=True)

DEFENCES: tuple[AbstractDefence, ...] = (
    Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent
    Crafter(0.0025, opponent=_PIXELS),
    Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
    StandIn(bfloat16=True),
)
