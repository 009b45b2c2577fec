"""The truncated Neumann series from a handful of products."""

from dataclasses import dataclass

import torch
from torch import Tensor

from facecrafter.implicit.neumann import refuse_growth, series_remedy
from facecrafter.implicit.solver import (
    AbstractLinearSolver,
    LinearSolution,
    Matvec,
    dots,
    norms,
    quotient,
    require_count,
    require_positive,
)
from facecrafter.types import Latents, Scores


@dataclass(frozen=True)
class Lanczos(AbstractLinearSolver):
    """The x of `Neumann(terms, alpha)`, from its polynomial on a Krylov space.

    Each image's A is replaced by a small tridiagonal T = V' A V on the span of b, A b, A^2 b, ...;
    then x = |b| V q(T) e1 with q(lambda) = alpha * sum_{j=0..terms} (1 - alpha lambda)^j. Exact
    once `products` reaches the dimension, or the number of eigenvectors that b contains; before
    that the error falls the faster the smaller alpha * lambda_max is: 2 to 4 products give 1 % at
    0.01 (measured on a system of 500 unknowns).

    Differs from the textbook: every new vector is made orthogonal to all earlier ones, twice,
    which costs nothing beside a pass through a network and keeps rounding out; an image whose
    space is exhausted goes on with zero vectors while the others work. The residual is that of
    `Neumann`, large for the same reason, and comes from T without a further product.

    Raises SettingError for products or terms below 1 or alpha not above 0; `solve` raises
    NumericalError where the series diverges.
    """

    products: int = 4  # ours: 1 % off the paper's series, see above
    terms: int = 150  # paper, Alg. 2 (the authors' code has 120)
    alpha: float = 0.001  # paper, Alg. 2

    def __post_init__(self) -> None:
        require_count(type(self).__name__, products=self.products, terms=self.terms)
        require_positive(type(self).__name__, alpha=self.alpha)

    def run(self, matvec: Matvec, b: Latents) -> LinearSolution:
        size = min(self.products, b.shape[1])
        basis, diagonal, beside = _tridiagonal(matvec, b, size)
        self.refuse_non_finite("A v", torch.cat([diagonal, beside], dim=1))
        y, residual = self._on_krylov(diagonal.double(), beside.double())
        value = norms(b)[:, None] * torch.einsum("bk,bkl->bl", y.to(b), basis)
        residual = torch.where(norms(b) > 0, residual.to(b), 0.0)
        return refuse_growth(self, LinearSolution(value, residual, size))

    @property
    def remedy(self) -> str:
        return series_remedy(self.alpha)

    def _on_krylov(self, diagonal: Tensor, beside: Tensor) -> tuple[Tensor, Scores]:
        """q(T) e1 and |A x - b| / |b|; both arguments are (batch, size), in double precision."""
        inner = beside[:, :-1]
        matrix = torch.diag_embed(diagonal)
        matrix = matrix + torch.diag_embed(inner, 1) + torch.diag_embed(inner, -1)
        ritz, vectors = torch.linalg.eigh(matrix)
        weights = series(ritz, self.terms, self.alpha) * vectors[:, 0]
        y = torch.einsum("bij,bj->bi", vectors, weights)
        # A V = V T + beside[-1] v_next e_last', and v_next is orthogonal to V
        inside = torch.einsum("bij,bj->bi", matrix, y)
        inside[:, 0] -= 1
        return y, torch.hypot(norms(inside), beside[:, -1] * y[:, -1])


def series(values: Tensor, terms: int, alpha: float) -> Tensor:
    """alpha * sum_{j=0..terms} (1 - alpha value)^j for each value, closed and without cancelling.

    The sum is (1 - (1 - s)^count) / s with s = alpha value and count = terms + 1. Where s is
    small, 1 - (1 - s)^count loses its digits; expm1 and log1p keep them.
    """
    count = terms + 1
    s = alpha * values
    small = s.abs() < 0.5
    near = -torch.expm1(count * torch.log1p(-torch.where(small, s, 0.0)))
    above = torch.where(small, near, 1 - (1 - s) ** count)
    return alpha * torch.where(s == 0, float(count), quotient(above, s))


def _tridiagonal(matvec: Matvec, b: Latents, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Lanczos: V (batch, size, latent), T's diagonal and its neighbours, both (batch, size).

    The last neighbour leads out of the space.
    """
    basis = [quotient(b, norms(b)[:, None])]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for _ in range(size):
        product = matvec(basis[-1])
        diagonal.append(dots(product, basis[-1]))
        rest = _outside(product, torch.stack(basis, dim=1))
        length = norms(rest)
        # what is left of an exhausted space is rounding: no direction to follow
        rounding = 10 * torch.finfo(b.dtype).eps * norms(product)
        length = torch.where(length <= rounding, 0.0, length)
        basis.append(quotient(rest, length[:, None]))
        beside.append(length)
    return torch.stack(basis[:-1], dim=1), torch.stack(diagonal, 1), torch.stack(beside, 1)


def _outside(vector: Latents, basis: Tensor) -> Latents:
    """`vector` less its part in the span of `basis` (batch, count, latent); twice is enough."""
    for _ in range(2):
        within = torch.einsum("bkl,bl->bk", basis, vector)
        vector = vector - torch.einsum("bk,bkl->bl", within, basis)
    return vector
