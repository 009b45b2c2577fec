"""How much an A1 attacker's lesson is worth: over pairs and over epochs (paper, Figs. 11 to 13).

Measured by `facecrafter evaluate --root LFW --table curve`.
"""

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import LEARNING

_PIXELS = PixelOpponent(bfloat16=True)

LFW64_CURVE = Table(
    title="LFW, 64 x 64, deployment: how much a lesson is worth",
    scene="lfw64-deployment",
    page="curve",
    command="facecrafter evaluate --root LFW --table curve",
    defences=(
        Plain(),
        Crafter(0.0025, opponent=_PIXELS),
        Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
        Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent
        StandIn(bfloat16=True),
    ),
    threats=LEARNING,
    seeds=(0,),
    learnt=LEARNT,
)
