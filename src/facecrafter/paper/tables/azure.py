"""Azure Face as the judge, on LFW at 64 x 64 (Appendix K, Fig. 25).

Measured by `facecrafter azure --root LFW --endpoint ...`, on the user's own key; never by us. The
paper prints no figure, it plots them: for the white-box attack, on LFW.
"""

from facecrafter.paper.tables import exposure

DEFENCES = exposure.DEFENCES  # `evaluate` has all of them, so it made what is asked about
ATTACKS = ("white-box", "deep decoder A1")  # that of Fig. 25, and the strongest that learns
