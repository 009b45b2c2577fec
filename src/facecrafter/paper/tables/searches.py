"""Searches that the paper does not have, by an attacker who learns nothing from the defence.

Measured by `facecrafter evaluate --root LFW --table searches`.
"""

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import CONTROLS, OTHER, THREATS

_PIXELS = PixelOpponent(bfloat16=True)

LFW64_SEARCHES = Table(
    title="LFW, 64 x 64, deployment: searches that the paper does not have",
    scene="lfw64-deployment",
    page="searches",
    command="facecrafter evaluate --root LFW --table searches",
    defences=(
        Plain(),
        Crafter(0.0025, opponent=_PIXELS),
        Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
        Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent
    ),
    threats=(*THREATS, *CONTROLS, *OTHER),
    seeds=(0,),
    learnt=LEARNT,
    remarks={
        "What these attackers do": (
            "*twice the steps* is the control of a basic search: it tells whether that one has "
            "converged. *null space* searches pixels as the hybrid attacker does, but ignores what "
            "lies in the range of the Jacobian of Enc o G at its own z*, where the paper's Crafter "
            "moves features. *rMLE* searches pixels from grey, preferring smooth pictures, and "
            "needs neither prior nor decoder. *deep image prior* searches the weights of a small "
            "untrained network for each face."
        ),
    },
)
