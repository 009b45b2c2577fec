"""How little a release may say: stand-ins by finer and coarser readings (StandIn.grid).

Measured by `facecrafter evaluate --root LFW --table stand-ins`.
"""

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import ADAPTIVE, THREATS

_LEARNING = ("deep decoder A1", "answers alone A1")
# An answer of two faces differs by 0.3, a number of the embedding by 0.07.
ANSWERS = (0.1, 0.2, 0.4)
SIGNATURES = (0.05, 0.1, 0.2)

LFW64_STAND_INS = Table(
    title="LFW, 64 x 64, deployment: how little a release may say",
    scene="lfw64-deployment",
    page="stand-ins",
    command="facecrafter evaluate --root LFW --table stand-ins",
    defences=(
        Plain(),
        StandIn(bfloat16=True),
        StandIn("answers", bfloat16=True),
        *(StandIn("answers", grid, bfloat16=True) for grid in ANSWERS),
        *(StandIn("signature", grid, bfloat16=True) for grid in SIGNATURES),
        Crafter(0.0025, opponent=PixelOpponent(bfloat16=True), utility=TaskUtility()),
    ),
    threats=(*THREATS, *(one for one in ADAPTIVE if one.name in _LEARNING)),
    seeds=(0,),
    learnt=LEARNT,
)
