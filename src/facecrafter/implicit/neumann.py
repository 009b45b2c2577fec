"""Algorithm 2: the inverse of a matrix as a truncated geometric series (Lemma 2)."""

from dataclasses import dataclass

import torch

from facecrafter.errors import NumericalError
from facecrafter.implicit.solver import (
    AbstractLinearSolver,
    LinearSolution,
    Matvec,
    norms,
    quotient,
    require_count,
    require_positive,
)
from facecrafter.types import Latents

# An answer ten times worse than x = 0 is no answer. A residual slightly above 1 is not refused:
# a little negative curvature in one direction gives it, and the published method goes on there.
_TOO_LARGE = 10.0  # ours


@dataclass(frozen=True)
class Neumann(AbstractLinearSolver):
    """x = alpha * sum_{j=0..terms} (I - alpha A)^j b, by Alg. 2 (Eq. 15).

    The series is a regulariser, not an inverse: along an eigenvector of value lambda it multiplies
    by (1 - (1 - alpha lambda)^(terms + 1)) / lambda, which is near 1 / lambda only where
    alpha lambda (terms + 1) is large, and near alpha (terms + 1) where lambda is small. Residuals
    near 1 are therefore usual and say nothing against the crafting. alpha has the unit of
    1 / lambda: it means something only together with the scale of L_inv (`published_scale`).

    Line 1 of the printed algorithm starts p at j = 0 and the loop of `terms` + 1 rounds then adds
    one power more than Eq. 15. Here the loop makes the same `terms` + 1 products and adds the
    powers 0 to `terms`; the last v is not added, for it is the residual:
    b - A x = (I - alpha A)^(terms + 1) b.

    Raises SettingError for terms below 1 or alpha not above 0; `solve` raises NumericalError where
    |1 - alpha lambda| < 1 is broken so far that the terms grow.
    """

    terms: int = 150  # paper, Alg. 2 (the authors' code has 120)
    alpha: float = 0.001  # paper, Alg. 2

    def __post_init__(self) -> None:
        require_count(type(self).__name__, terms=self.terms)
        require_positive(type(self).__name__, alpha=self.alpha)

    def run(self, matvec: Matvec, b: Latents) -> LinearSolution:
        v, p = b, torch.zeros_like(b)
        for _ in range(self.terms + 1):
            p = p + v
            v = v - self.alpha * matvec(v)
        solution = LinearSolution(self.alpha * p, quotient(norms(v), norms(b)), self.terms + 1)
        return refuse_growth(self, solution)

    @property
    def remedy(self) -> str:
        return series_remedy(self.alpha)


def refuse_growth(solver: AbstractLinearSolver, solution: LinearSolution) -> LinearSolution:
    """The solution, unless a finite residual shows that the terms of the series grow."""
    grown = solution.residual > _TOO_LARGE
    if bool(grown.any()):
        images = grown.nonzero().flatten().tolist()
        raise NumericalError(
            f"{solver} diverged: the residual |A x - b| / |b| of image(s) {images[:8]} reaches "
            f"{solution.residual.max().item():.3g}, above {_TOO_LARGE:g}. {solver.remedy}"
        )
    return solution


def series_remedy(alpha: float) -> str:
    """What Lemma 2 asks for, and what to try where it does not hold."""
    return (
        f"The series needs |1 - alpha lambda| < 1 for every eigenvalue lambda of A, so all between "
        f"0 and 2 / alpha = {2 / alpha:.4g}. Try a smaller alpha (or a smaller scale of the loss); "
        "if the curvature is indefinite, use the Gauss-Newton product."
    )
