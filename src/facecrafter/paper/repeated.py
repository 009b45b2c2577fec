"""A3 on a scene: the same photographs protected again, and what an attacker averages."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from facecrafter.attacks.averaged import Averaged
from facecrafter.paper.scenes import Scene
from facecrafter.types import Features, Images

SHIFT, BRIGHTER = 1, 0.02  # of a near-duplicate: pixels, and a share of full brightness; ours


def averaged(attack: Averaged, scene: Scene, releases: Sequence[Features]) -> Features:
    """What the attacker inverts, for every private test face in order; batch by batch as sent."""
    mean = torch.empty_like(releases[0])
    for rows in map(torch.from_numpy, scene.batches()):
        mean[rows] = attack.mean([release[rows] for release in releases])
    return mean


def near_duplicate(images: Images, number: int) -> Images:
    """The photographs as a burst or another upload shows them: a pixel aside, a little brighter.

    number: 0 gives them as they are, each further one another shift.
    """
    across, down = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))[number % 5]
    padded = pad(images, (SHIFT,) * 4, mode="replicate")
    side = images.shape[-1]
    top, left = SHIFT + down * SHIFT, SHIFT + across * SHIFT
    moved: Tensor = padded[..., top : top + side, left : left + side]
    sign = (number + 1) // 2 * (-1) ** number
    return (moved + BRIGHTER * sign).clamp(0, 1)
