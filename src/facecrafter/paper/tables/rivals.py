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

# by lambda; paper, VI-A
ADV_LEARNING = {weight: AdversarialLearning(weight, bfloat16=True) for weight in (0.1, 0.5, 0.8)}
DISCO = {weight: Disco(weight, bfloat16=True) for weight in (0.2, 0.6, 0.8)}

LFW64_RIVALS = Table(
    title="LFW, 64 x 64, deployment: rivals",
    scene="lfw64-deployment",
    page="rivals",
    command="facecrafter evaluate --root LFW --table rivals",
    defences=(
        Plain(),
        Crafter(0.0025, opponent=PixelOpponent(bfloat16=True)),
        StandIn(bfloat16=True),
        *ADV_LEARNING.values(),
        *DISCO.values(),
    ),
    threats=PLAYING,
    seeds=(0,),
    remarks={
        "How the rivals were trained": (
            "Adv Learning and Disco are games (Definition 7, Table III): Enc and f, with Disco a "
            "pruner as well, are trained from the bundle's target on the private train "
            "photographs of the people who are to be protected, which Crafter and StandIn never "
            "see, against a decoder that learns at the same time, a step of each in turn, 20 "
            "epochs. The cloud deploys what comes of it. The loss is (1 - lambda) cross-entropy "
            "- lambda times the root of the mean squared error of a pixel; neither paper says in "
            "which unit its lambda weighs, so one's lambda is not another's. The defender's rate "
            "does not fall. Where it falls along a cosine, the decoder of the game catches up "
            "before the game is over: on Adv Learning, lambda 0.5, the SSIM of its faces was 0.59 "
            "at the end, where it is 0.29 so. Disco removes 60 % of the channels of each feature, "
            "which is ours. For their AUC mind that f learnt these people; f of the first row did "
            "not."
        ),
        "What attacks them": (
            "*One decoder* is, against a game, that of the game, which the defender learnt to "
            "blind, as in the paper; against the others the bundle's. Black-box A1 goes on with "
            "it (with three against the others), the deep decoder begins from fresh weights, both "
            "on 4,000 public photographs. The white-box search has an amortiser that was trained "
            "for the Enc of the game. The paper calls what the decoder of the game suggests false "
            "security (VI-B), and so it is."
        ),
    },
)
