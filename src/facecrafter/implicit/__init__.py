"""Lemmas 1 and 2: how a best response moves when what it answers moves. No faces in here.

z*(F) = argmin_z L_inv(F, z) has no formula, but where dL_inv/dz = 0 Lemma 1 gives its derivative,
and `implicit_gradient` the gradient of any loss of z* with respect to F:

    dL_p/dF = - dL_p/dz* . [d2 L_inv / dz dz]^-1 . d2 L_inv / dz dF          (Eq. 16)

Three parts, each a value that is passed in: the loss L_inv (`SquaredDistance`, `AnyLoss`), the way
to apply its curvature (`gauss_newton_product`, `hessian_product`) and the way to invert that
curvature (`Neumann`, `Lanczos`, `ConjugateGradient`). Every image is a system of its own.
"""

from facecrafter.implicit.conjugate_gradient import ConjugateGradient
from facecrafter.implicit.gradient import (
    AbstractInversionLoss,
    AnyLoss,
    Derivatives,
    ImplicitGradient,
    SquaredDistance,
    implicit_gradient,
    published_scale,
)
from facecrafter.implicit.lanczos import Lanczos
from facecrafter.implicit.neumann import Neumann
from facecrafter.implicit.products import (
    Linearisation,
    gauss_newton_product,
    hessian_product,
    linearise,
)
from facecrafter.implicit.solver import AbstractLinearSolver, LinearSolution, Matvec

__all__ = [
    "AbstractInversionLoss",
    "AbstractLinearSolver",
    "AnyLoss",
    "ConjugateGradient",
    "Derivatives",
    "ImplicitGradient",
    "Lanczos",
    "LinearSolution",
    "Linearisation",
    "Matvec",
    "Neumann",
    "SquaredDistance",
    "gauss_newton_product",
    "hessian_product",
    "implicit_gradient",
    "linearise",
    "published_scale",
]
