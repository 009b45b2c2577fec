"""A cloud that trains its own network on releases (VI-B, Fig. 9), on LFW at 64 x 64.

Measured by `facecrafter develop --root LFW`. The paper finds on CelebA that mean AUC falls by 0.02
with Crafter at beta 1, and Eval Acc from 43 to 10 %.
"""

from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.fisher_noise import FisherNoise
from facecrafter.defences.noise import Noise
from facecrafter.paper.development import TASKS, Development
from facecrafter.paper.tables import exposure
from facecrafter.paper.tables.rivals import TIPRDC

# TIPRDC is the rival that the paper has in this scenario; like the two noises it knows no task
DEFENCES: tuple[AbstractDefence, ...] = (
    *exposure.DEFENCES,
    *TIPRDC.values(),
    Noise(3.0),
    FisherNoise(0.3),
)
DEVELOPMENTS = tuple(Development(task) for task in TASKS)

# of Crafter, beta 1, beside no protection: what mean AUC lost, Eval Acc before, after; paper, VI-B
REPORTED = (0.02, 0.43, 0.10)
