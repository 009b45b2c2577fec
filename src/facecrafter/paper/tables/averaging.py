"""A3 on LFW at 64 x 64: attackers who ask for the same photographs again (paper, Table V).

Measured by `facecrafter evaluate --root LFW --table averaging`.
"""

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.noise import Noise
from facecrafter.defences.opponents import PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper.cells import Table
from facecrafter.paper.tables.lfw64 import LEARNT
from facecrafter.paper.threats import ASKING

_CRAFTER = Crafter(0.0025, opponent=PixelOpponent(bfloat16=True))
_TASKS = Crafter(0.0025, opponent=PixelOpponent(bfloat16=True), utility=TaskUtility())

LFW64_AVERAGING = Table(
    title="LFW, 64 x 64, deployment: asking again and averaging",
    scene="lfw64-deployment",
    page="averaging",
    command="facecrafter evaluate --root LFW --table averaging",
    defences=(
        Plain(),
        Noise(4.0),
        Shuffled(Noise(4.0)),
        _CRAFTER,
        Shuffled(_CRAFTER),
        _TASKS,
        Shuffled(_TASKS),
        StandIn(bfloat16=True),
        Shuffled(StandIn(bfloat16=True)),
    ),
    threats=ASKING,
    seeds=(0,),
    learnt=LEARNT,
    remarks={
        "What these attackers do": (
            "A man in the middle gets five releases of the same photographs, each protected with "
            "fresh chance, and inverts their mean. *A3* takes the rows as they were sent. "
            "*matched* first finds out, by optimal assignment of features, which row of one "
            "release belongs to which of another: it undoes shuffling as far as protected features "
            "lie nearer to each other than to those of other people. *near* asks with photographs "
            "a pixel aside and a little brighter: that is what `Remembered`, which never protects "
            "one photograph twice, leaves to an averaging attacker; against the very same "
            "photograph it leaves one release, the row of the basic attack."
        ),
    },
)
