"""An attacker who knows features by name (Table VIII), on LFW at 64 x 64.

Measured by `facecrafter expose --root LFW`. The paper finds 9.38, 17.97 and 21.09 % on CelebA for
Crafter with beta 0.5, 1 and 2. On plain features expect above 90 %.
"""

from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.blend import Blend
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.exposure import Exposure

_PIXELS = PixelOpponent(bfloat16=True)

DEFENCES: tuple[AbstractDefence, ...] = (
    Plain(),
    Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
    StandIn(bfloat16=True),
    Crafter(0.0025, opponent=_PIXELS),
    Blend(0.65),
    Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent; hours
)
EXPOSURES = (
    Exposure("original", rounds=8),  # a view costs one pass of Enc
    Exposure("protected"),
)

# beta -> Eval Acc of the white-box attack without and with Enc(X); paper, Table VIII, CelebA
REPORTED = {0.5: (0.0598, 0.0938), 1.0: (0.0859, 0.1797), 2.0: (0.1302, 0.2109)}
