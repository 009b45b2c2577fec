"""The implicit gradient of section IV-B: Lemma 1 with a solver of one's choice."""

import abc
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facecrafter.errors import SettingError
from facecrafter.implicit.products import Explain, Outputs, linearise
from facecrafter.implicit.solver import (
    AbstractLinearSolver,
    LinearSolution,
    Matvec,
    require_count,
    require_positive,
)
from facecrafter.types import Latents, Scores


@dataclass(frozen=True, eq=False)
class Derivatives:
    """The two second derivatives of L_inv that Lemma 1 needs, at one (F, z*)."""

    curvature: Matvec  # v -> d2 L_inv / dz dz . v
    mixed: Callable[[Latents], Outputs]  # p -> d/dF (p . dL_inv/dz), of the shape of F


class AbstractInversionLoss(abc.ABC):
    """L_inv(F, z), one number per image, which the best response minimises in z."""

    @abc.abstractmethod
    def derivatives(self, features: Outputs, best: Latents) -> Derivatives:
        """Second derivatives at `features` and their best response."""


@dataclass(frozen=True)
class AnyLoss(AbstractInversionLoss):
    """Any twice differentiable loss(features, z) -> (batch,), by double backward.

    The paper's own L_inv is the norm, not its square:
    `AnyLoss(lambda f, z: (f - explain(z)).flatten(1).norm(dim=1))`. The exact inverse gives the
    same gradient for both; a truncated one does not, as their curvatures differ in scale.
    """

    loss: Callable[[Outputs, Latents], Scores]

    def derivatives(self, features: Outputs, best: Latents) -> Derivatives:
        f, z = features.detach().requires_grad_(), best.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self.loss(f, z).sum(), z, create_graph=True)

        def curvature(v: Latents) -> Latents:
            return torch.autograd.grad(slope, z, v, retain_graph=True)[0]

        def mixed(p: Latents) -> Outputs:
            return torch.autograd.grad(slope, f, p, retain_graph=True)[0]

        return Derivatives(curvature, mixed)


@dataclass(frozen=True)
class SquaredDistance(AbstractInversionLoss):
    """L_inv = scale * |F - E(z)|^2, summed over one image's feature.

    Curvature: 2 scale J' J (Gauss-Newton, the default: never indefinite, no double backward), or
    the Hessian if `exact`. Mixed derivative: -2 scale J p, a single product with the Jacobian.

    With an exact inverse the scale cancels; a truncated or damped one depends on it, so the scale
    belongs to the solver's settings. `published_scale` makes the authors' alpha mean what it meant
    to them. Raises SettingError if scale is not above 0 or F is not of the shape of E(z).
    """

    explain: Explain
    scale: float = 1.0  # ours: per-image sums, Eq. 3 squared
    exact: bool = False
    traced: bool = False  # see `linearise`; no effect if exact

    def __post_init__(self) -> None:
        require_positive(type(self).__name__, scale=self.scale)

    def value(self, features: Outputs, z: Latents) -> Scores:
        """L_inv of each image."""
        outputs = self.explain(z)
        _same_shape(features, outputs)
        return self.scale * (features - outputs).flatten(1).square().sum(dim=1)

    def derivatives(self, features: Outputs, best: Latents) -> Derivatives:
        if self.exact:
            return AnyLoss(self.value).derivatives(features, best)
        near = linearise(self.explain, best, self.traced)
        _same_shape(features, near.outputs)
        return Derivatives(
            curvature=lambda v: 2 * self.scale * near.gauss_newton(v),
            mixed=lambda p: -2 * self.scale * near.push(p),
        )


@dataclass(frozen=True, eq=False)
class ImplicitGradient:
    """dL_p/dF, and the linear solve that it rests on."""

    gradient: Outputs  # of the shape of F
    solution: LinearSolution


def implicit_gradient(
    loss: AbstractInversionLoss,
    features: Outputs,
    best: Latents,
    slope: Latents,
    solver: AbstractLinearSolver,
) -> ImplicitGradient:
    """dL_p/dF = -slope . [d2 L_inv / dz dz]^-1 . d2 L_inv / dz dF (Eq. 16; lines 11-12 of Alg. 1).

    features: F, (batch, ...). best: z*(F), (batch, latent), a minimum of `loss` in z for each
    image; Lemma 1 says nothing elsewhere, and no check is made. slope: dL_p/dz* at `best`. The
    result has the units of L_p per unit of F. NumericalError as raised by the solver.
    """
    derivatives = loss.derivatives(features, best)
    solution = solver.solve(derivatives.curvature, slope)
    return ImplicitGradient(-derivatives.mixed(solution.value), solution)


def published_scale(batch: int, elements: int) -> float:
    """The factor of |F - E(z)|^2 in the authors' L_inv: 2000 / (batch * elements).

    Their loss is 2000 times the batch's mean of (squared norm / elements of a feature), so that an
    image's curvature shrinks as the batch grows; the paper does not say so. Use it with their
    alpha and terms, and give the batch that they had (128), whatever the batch at hand, to keep an
    image's result independent of its neighbours.
    """
    require_count("published_scale", batch=batch, elements=elements)
    return 2000 / (batch * elements)  # authors' code


def _same_shape(features: Tensor, outputs: Tensor) -> None:
    if features.shape != outputs.shape:
        raise SettingError(
            f"Features of shape {tuple(features.shape)} cannot be compared with E(z) of shape "
            f"{tuple(outputs.shape)}: give one feature per latent vector, of the same encoder."
        )
