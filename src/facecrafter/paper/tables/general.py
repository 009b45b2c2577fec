"""A general encoder on LFW at 64 x 64: what its features tell, and what Crafter leaves of it.

Measured by `facecrafter evaluate --root LFW --table general --bundle FOLDER`.
"""

from facecrafter.defences.blend import Blend
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.plain import Plain
from facecrafter.paper.cells import Table
from facecrafter.paper.precision import in_float32
from facecrafter.paper.threats import threats

LFW64_GENERAL = Table(
    title="LFW, 64 x 64: an encoder that was made for no task",
    scene="lfw64-general",
    page="general",
    command="facecrafter evaluate --root LFW --table general --bundle FOLDER",
    defences=(Plain(), Crafter(0.0025), Crafter(0.001), Blend(0.65)),
    threats=in_float32(threats(decoders=1)),
    seeds=(0,),
    float32=True,
    remarks={
        "Which encoder this is": (
            "In the development scenario the paper has a general encoder (III-A, VI-B). This one "
            "learnt from the public photographs without labels, as in SimCLR: two views, cut out, "
            "mirrored, recoloured, greyed and blurred, are told from those of other photographs. "
            "`facecrafter train general --data lfw --root LFW --widths 64 64 128 256 --epochs 12`; "
            "the AUC above is that of an f that `train head` taught the attributes behind it, on "
            "public photographs; the decoder that attacks is a new one (`train decoder --epochs "
            "4`), as is the amortiser (`--width 32 --steps 2000`); prior and judge are those of "
            "the other pages. Everything is in float32. What a cloud gets that trains on "
            "releases of this encoder stands in [development](development.md)."
        ),
    },
)
