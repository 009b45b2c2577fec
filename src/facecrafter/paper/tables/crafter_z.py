"""Table XIV on LFW at 64 x 64: does beta or the rate of the search steer Crafter-z (App. L)?

Measured by `facecrafter evaluate --root LFW --table crafter-z`. Number to expect at rate 0.1 and
beta 0.0025: white-box below 0.10, mean AUC about 0.6.
"""

from itertools import product

from facecrafter.defences.crafter_z import CrafterZ
from facecrafter.defences.plain import Plain
from facecrafter.defences.privacy import AssignedDistance
from facecrafter.inversion import Descent
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import THREATS

# ours, on 64 private train faces: the slowest protects hardly anybody, the fastest nearly all
RATES = (0.01, 0.05, 0.1)  # 5 and 10 times the least, as in Table XIV
BETAS = (0.0025, 0.02)  # those of the grid; 8 times apart, in Table XIV 2.5

LFW64_CRAFTER_Z = Table(
    title="LFW, 64 x 64, deployment: what steers Crafter-z",
    scene="lfw64-deployment",
    page="crafter-z",
    command="facecrafter evaluate --root LFW --table crafter-z",
    defences=(
        Plain(),
        *(
            CrafterZ(beta, rate, 40, Descent(30, 0.3), AssignedDistance())
            for rate, beta in product(RATES, BETAS)
        ),
    ),
    threats=tuple(threat for threat in THREATS if threat.name != "hybrid"),  # Table XIV has none
    seeds=(0,),
    learnt=LEARNT,
)
