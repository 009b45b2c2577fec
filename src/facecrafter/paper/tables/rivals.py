"""Rivals on LFW at 64 x 64: defences that others proposed, under the same attacks (VI-A, VI-B).

Measured by `facecrafter evaluate --root LFW --table rivals`.
"""

from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.disco import Disco
from facecrafter.defences.opponents import PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.paper.cells import Table
from facecrafter.paper.threats import PLAYING

LFW64_RIVALS = Table(
    title="LFW, 64 x 64, deployment: rivals",
    scene="lfw64-deployment",
    page="rivals",
    command="facecrafter evaluate --root LFW --table rivals",
    defences=(
        Plain(),
        Crafter(0.0025, opponent=PixelOpponent(bfloat16=True)),
        StandIn(bfloat16=True),
        *(AdversarialLearning(weight, bfloat16=True) for weight in (0.1, 0.5, 0.8)),  # paper
        *(Disco(weight, bfloat16=True) for weight in (0.2, 0.6, 0.8)),  # paper
    ),
    threats=PLAYING,
    seeds=(0,),
)
