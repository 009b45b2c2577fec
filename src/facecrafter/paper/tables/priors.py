"""A2 on LFW at 64 x 64: attackers who search other generators than the device's (paper, Fig. 15).

Measured by `facecrafter evaluate --root LFW --table priors --priors FOLDER`.
"""

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import ELSEWHERE

_PIXELS = PixelOpponent(bfloat16=True)

LFW64_PRIORS = Table(
    title="LFW, 64 x 64, deployment: other generators",
    scene="lfw64-deployment",
    page="priors",
    command="facecrafter evaluate --root LFW --table priors --priors FOLDER",
    defences=(
        Plain(),
        Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent
        Crafter(0.0025, opponent=_PIXELS),
        Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
        StandIn(bfloat16=True),
    ),
    threats=ELSEWHERE,
    seeds=(0,),
    learnt=LEARNT,
    remarks={
        "Which generators these are": (
            "The device has G1 of width 32 with 128 latent dimensions, and its amortiser. The "
            "attacker trains others, on the same public photographs: FOLDER holds what "
            "`facecrafter train prior --data lfw --root LFW --width 32 --critic-width 32 --batch "
            "32 --warm-epochs 24 --divergence 0.12 --steps 0 --bfloat16 --latent-dim 500 --depth 3 "
            "--out FOLDER/G1-500` leaves, and so on; G2 is --depth 4 (Table XII). He has no "
            "amortiser for them: he starts at random three times and takes 80 steps, not 35. "
            "G1-500-exposed learnt with --exposed 0.1 from a tenth of each private person's train "
            "photographs, too (Table VIII); those that are measured on stayed private. style is a "
            "small StyleGAN without noise, trained by `facecrafter train style --data lfw --root "
            "LFW --bfloat16 --out FOLDER/style` as the decoder of an auto-encoder, like all, "
            "and searched as MIRROR does: where its mapping is undone, within ten deviations. A "
            "published StyleGAN that `facecrafter adopt` wrote to FOLDER is measured, too "
            "([stylegan](stylegan.md)); none was."
        ),
    },
)
