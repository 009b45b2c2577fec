"""What it is to solve A x = b when A is known only through its products v -> A v."""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from facecrafter.errors import NumericalError, SettingError
from facecrafter.types import Latents, Scores

Matvec = Callable[[Latents], Latents]  # v -> A v, A symmetric, one matrix per image


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """An approximate x, how far it is from solving the system, and what it cost."""

    value: Latents  # x
    residual: Scores  # |A x - b| / |b| of each image, at least 0; 0 where b is 0
    products: int  # how often A was applied, to the whole batch at once


class AbstractLinearSolver(abc.ABC):
    """A way to solve one independent system per image: hyperparameters only.

    The batch is a block-diagonal matrix, one block per image, so sums run over the latent
    dimension only and an image's answer never depends on its neighbours. A new solver implements
    `run` and `remedy`; `solve` does the bookkeeping for all.
    """

    @final
    def solve(self, matvec: Matvec, b: Latents) -> LinearSolution:
        """Approximate A^-1 b for each row of `b`, of shape (batch, latent).

        A solve that has not converged is returned with its residual. NumericalError if `b` or
        the answer is not finite, or if the method diverges. Nothing is recorded for autograd.
        """
        self.refuse_non_finite("b", b)
        with torch.no_grad():
            solution = self.run(matvec, b.detach())
        self.refuse_non_finite("x", solution.value)
        self.refuse_non_finite("the residual", solution.residual)
        return solution

    @abc.abstractmethod
    def run(self, matvec: Matvec, b: Latents) -> LinearSolution:
        """The method itself; called by `solve` with a finite `b`."""

    @property
    @abc.abstractmethod
    def remedy(self) -> str:
        """One sentence: which rule a diverging solve broke and what to try next."""

    @final
    def refuse_non_finite(self, name: str, value: Tensor) -> None:
        """NumericalError that names the images whose `value` is not finite."""
        sane = torch.isfinite(value).reshape(len(value), -1).all(dim=1)
        if not bool(sane.all()):
            images = (~sane).nonzero().flatten().tolist()
            raise NumericalError(
                f"{self}: {name} is not finite for image(s) {images[:8]}. If the features and the "
                f"weights are finite: {self.remedy}"
            )


def norms(vectors: Latents) -> Scores:
    """Euclidean length of each image's vector."""
    return vectors.norm(dim=1)


def dots(one: Latents, other: Latents) -> Scores:
    """Inner product of each image's two vectors."""
    return (one * other).sum(dim=1)


def quotient(above: Tensor, below: Tensor) -> Tensor:
    """above / below; 0 where below is 0, as for the residual of a system whose b is 0."""
    empty = below == 0
    return torch.where(empty, torch.zeros_like(above), above / torch.where(empty, 1.0, below))


def require_count(owner: str, **values: float) -> None:
    """SettingError unless each value is a whole number of at least 1; NaN is none."""
    for name, value in values.items():
        if not (value >= 1 and value % 1 == 0):
            raise SettingError(f"{name}={value} of {owner} is not a whole number from 1 on.")


def require_positive(owner: str, **values: float) -> None:
    """SettingError unless each value is finite and above 0; NaN is neither."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise SettingError(f"{name}={value} of {owner} is not finite above 0.")


def require_not_negative(owner: str, **values: float) -> None:
    """SettingError unless each value is finite and at least 0; NaN is neither."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise SettingError(f"{name}={value} of {owner} is not finite from 0 on.")
