"""The tables of the tests of `facecrafter.implicit`: matrices to solve with, and ways to solve."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from facecrafter.implicit import AbstractLinearSolver, ConjugateGradient, Lanczos, Neumann
from facecrafter.randomness import normal, stream

BATCH, DIM = 3, 8
LIKE = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True)
class Problem:
    """One symmetric matrix per image, of a known spectrum, in random directions."""

    spectrum: str
    dim: int = DIM

    def values(self) -> Tensor:
        i = torch.arange(1, self.dim + 1, dtype=torch.float64)
        return {
            "1/i": 1 / i,
            "even": i / self.dim,
            "equal": torch.ones_like(i),
            "rank 3": (i <= 3).double(),
            "steep": 10.0 ** (1 - i),
        }[self.spectrum]

    def matrix(self) -> Tensor:
        return turned(self.values(), stream(0, self.spectrum))

    def side(self) -> Tensor:
        return normal(BATCH, self.dim, rng=stream(1, self.spectrum), like=LIKE)


def turned(values: Tensor, rng: torch.Generator) -> Tensor:
    square = normal(BATCH, len(values), len(values), rng=rng, like=LIKE)
    turn = torch.linalg.qr(square).Q
    return turn @ torch.diag(values) @ turn.mT


def product(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda v: torch.einsum("bij,bj->bi", matrix, v)


PROBLEMS = [Problem(name) for name in ("1/i", "even", "equal", "rank 3", "steep")]
SOLVERS: list[AbstractLinearSolver] = [
    Neumann(terms=150, alpha=0.5),
    Neumann(terms=1, alpha=0.001),
    Lanczos(products=3, terms=150, alpha=0.5),
    Lanczos(products=DIM, terms=7, alpha=1.9),
    ConjugateGradient(products=3, ridge=0.1),
    ConjugateGradient(products=50, ridge=0.0, tolerance=1e-14),
]
EXACT = ConjugateGradient(products=200, ridge=0.0, tolerance=1e-13)

each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=repr)
