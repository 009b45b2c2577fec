"""What private releases add to a one-sided public set (VI-B), on LFW at 64 x 64.

Measured by `facecrafter augment --root LFW`.
"""

from facecrafter.paper.augmentation import SOURCES, Augmentation
from facecrafter.paper.tables.exposure import DEFENCES

__all__ = ["AUGMENTATIONS", "DEFENCES", "REPORTED"]

# ours, the paper draws one at random: who it is, how old, what the face does, the hair; each shown
# by 2,000 to 7,500 of these public faces, so that both answers leave enough to learn from
ATTRIBUTES = ("Male", "Young", "Smiling", "Gray_Hair")

AUGMENTATIONS = tuple(Augmentation(source, ATTRIBUTES) for source in SOURCES)

# AUC from public faces alone, and with private releases; paper, VI-B, on CelebA
REPORTED = (0.76, 0.82)
