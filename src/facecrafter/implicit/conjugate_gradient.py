"""Conjugate gradients, damped, each image with its own steps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from facecrafter.implicit.solver import (
    AbstractLinearSolver,
    LinearSolution,
    Matvec,
    dots,
    norms,
    quotient,
    require_count,
    require_not_negative,
)
from facecrafter.types import Latents


@dataclass(frozen=True)
class ConjugateGradient(AbstractLinearSolver):
    """(A + ridge I) x = b, improved `products` times at most.

    Differs from the textbook: an image stops by itself, either because its residual is small
    enough or because the curvature p' (A + ridge I) p along its next direction is not positive,
    where the method has no meaning; it keeps the x that it has (0, with residual 1, if that
    happens at once) while the others go on. The residual is that of the damped system, from the
    recursion, without a further product: good to about rounding times the condition number.

    The ridge has the unit of A's eigenvalues and so depends on the scale of L_inv. The default
    damps a flat direction exactly as the published series does: to 1 / ridge = alpha (terms + 1).

    Raises SettingError for products below 1, ridge or tolerance below 0; `solve` raises
    NumericalError where a product is not finite.
    """

    products: int = 4  # ours: as for `Lanczos`
    ridge: float = 1 / (0.001 * 151)  # ours: see above, with alpha and terms of the paper
    tolerance: float = 1e-6  # ours: |A x + ridge x - b| / |b| at which an image stops

    def __post_init__(self) -> None:
        require_count(type(self).__name__, products=self.products)
        require_not_negative(type(self).__name__, ridge=self.ridge, tolerance=self.tolerance)

    def run(self, matvec: Matvec, b: Latents) -> LinearSolution:
        x, rest, direction = torch.zeros_like(b), b, b
        energy = dots(rest, rest)
        enough = self.tolerance**2 * energy
        running = energy > enough
        largest, done = torch.zeros_like(energy), 0
        while done < self.products and bool(running.any()):
            product = matvec(direction) + self.ridge * direction
            done += 1
            curvature = dots(direction, product)
            self.refuse_non_finite("p' A p", curvature)  # it would pass for "not positive" below
            # positive by more than rounding, held against the largest curvature met so far
            square = dots(direction, direction)
            largest = torch.maximum(largest, quotient(curvature, square))
            running = running & (curvature > 10 * torch.finfo(b.dtype).eps * largest * square)
            step = _where(running, quotient(energy, curvature))
            x, rest = x + step * direction, rest - step * product
            fresh = dots(rest, rest)
            direction = rest + _where(running, quotient(fresh, energy)) * direction
            energy = fresh
            running = running & (energy > enough)
        return LinearSolution(x, quotient(norms(rest), norms(b)), done)

    @property
    def remedy(self) -> str:
        return (
            "conjugate gradients need finite products; lower the scale of the loss, or raise "
            f"the ridge above {self.ridge:.4g}."
        )


def _where(running: Tensor, values: Tensor) -> Tensor:
    """The values of the images that still run, 0 for the others, as a column."""
    return torch.where(running, values, 0.0)[:, None]
