"""Keep a critic 1-Lipschitz (section II)."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from facecrafter.types import Images, Scores


def gradient_penalty(
    critic: Callable[[Images], Scores], one: Images, other: Images, rng: Generator
) -> Tensor:
    """E[(|grad D(x)| - 1)^2] at points between two batches of faces (II, after Def. 1)."""
    between = torch.rand(len(one), 1, 1, 1, generator=rng).to(one)
    points = (between * one + (1 - between) * other).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
