"""Who becomes whom: an average face for each face, so that the sum of distances is least."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from facecrafter.errors import NotProtected


def assign(mine: Tensor, theirs: Tensor) -> Tensor:
    """For each row of `mine` the place of its row of `theirs`, no place twice.

    Both are compared flat, by Euclidean distance; `theirs` has as many rows or more. Raises
    `NotProtected` where a distance is not finite.
    """
    apart = torch.cdist(mine.flatten(1), theirs.flatten(1))
    if not bool(torch.isfinite(apart).all()):
        raise NotProtected(
            "a face, an average face or a feature is not finite, so nothing was released. Check "
            "the weights (facecrafter.bundle.load verifies them)."
        )
    _, column = linear_sum_assignment(apart.cpu().numpy())
    return torch.from_numpy(column).to(mine.device)
