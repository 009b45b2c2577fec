"""A1 on LFW at 64 x 64: attackers who have the defence and go on learning on what it releases.

Measured by `facecrafter evaluate --root LFW --table adaptive`. The paper (VI-C, Figures 11 and 12)
finds that Crafter loses nothing to them; here it does.
"""

from facecrafter.attacks.continued import Continued
from facecrafter.defences.blend import Blend
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import ADAPTIVE, THREATS

_PIXELS = PixelOpponent(bfloat16=True)
_A1 = ADAPTIVE[1].attack
assert isinstance(_A1, Continued)

LFW64_ADAPTIVE = Table(
    title="LFW, 64 x 64, deployment: adaptive attackers",
    scene="lfw64-deployment",
    page="adaptive",
    command="facecrafter evaluate --root LFW --table adaptive",
    defences=(
        Plain(),  # what more training alone gives
        Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
        Crafter(0.0025, opponent=_PIXELS),
        StandIn(bfloat16=True),
        StandIn("answers", bfloat16=True),
        Blend(0.65),
        Crafter(0.001, opponent=_PIXELS),
        Crafter(0.001, 12, LatentOpponent(rate=0.15)),  # the paper's opponent
    ),
    threats=(*THREATS, *ADAPTIVE),
    seeds=(0,),
    learnt=LEARNT,
    remarks={
        "What these attackers do": (
            "Each has the defence and all that it needs, protects "
            f"{_A1.faces:,} public faces {_A1.rounds} times, and trains on the pairs for "
            f"{_A1.training.epochs * _A1.training.legs} epochs. Black-box: the decoders that he "
            "has go on (paper, Eq. 36), and the mean of their faces counts. White-box: his prior "
            "goes on (Eq. 35); z* is searched with the prior as it was, and the one that learnt "
            "draws the face. Plain shows what the further training gives by itself. The deep "
            "decoder, ours, begins with fresh weights and is told, beside pixels, what Enc sees in "
            "its face. Answers alone, ours, sees f's answers to a release and nothing else of it. "
            "Purified, ours too: a network learns Enc(X) from a release, and the basic attack "
            "follows. There is no hybrid attack of the paper's kind: a search for pixels that "
            "explain a crafted feature ends at what was crafted, wherever it begins. The identity "
            "decoder is the deep one, and is told as well whose face it should draw, by a network "
            "that learnt to tell public people apart. Consensus, ours, learns all that the others "
            "but two learn, and keeps of their faces the one that they agree on most, as that "
            "network sees them: nobody who attacks knows which of his faces is right. How many "
            "pairs and epochs a lesson takes stands in [curve](curve.md); why it works, also "
            "against the authors' settings, and why no defence that keeps the answers could have "
            "much less than StandIn, in [trials](trials.md)."
        ),
    },
)
