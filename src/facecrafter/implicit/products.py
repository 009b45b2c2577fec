"""Products with matrices that are never formed: the Hessian and the Gauss-Newton matrix.

Cost, in CPU seconds on one thread, for Enc o G with its norms folded, 64 images of 64 x 64, full
width (a forward pass: 0.12): exact Hessian product 0.37 after 0.23 once; J' u 0.08 after 0.14
once; J v by dual numbers 0.30 each; J v of a traced map 0.10 each after 0.59 once. With 16 images
and half the width: 0.045 after 0.027; 0.014 after 0.019; 0.050; 0.012 after 0.39. So tracing pays
from 3 (large) to 10 (small) products, and Gauss-Newton is cheaper than the Hessian only where it
is traced or where double backward is not to be had (torch.compile refuses it).
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import linearize

from facecrafter.implicit.solver import Matvec
from facecrafter.types import Latents, Scores

Outputs = Float[Tensor, "batch *shape"]  # features, of any shape
Explain = Callable[[Latents], Outputs]  # E, such as Enc o G; each row depends on its own z only


@dataclass(frozen=True, eq=False)
class Linearisation:
    """A map near one point z: E(z), and products with its Jacobian J (one block per image)."""

    outputs: Outputs  # E(z)
    push: Callable[[Latents], Outputs]  # v -> J v
    pull: Callable[[Outputs], Latents]  # u -> J' u

    def gauss_newton(self, v: Latents) -> Latents:
        """J' J v."""
        return self.pull(self.push(v))


def linearise(explain: Explain, z: Latents, traced: bool = False) -> Linearisation:
    """The derivative of `explain` at `z`, without double backward.

    `explain` is in evaluation mode (a batch norm that takes its statistics from the batch would
    tie the images together). J' u reuses one backward graph. J v runs `explain` on dual numbers;
    with `traced` its tangent is traced once and then costs one pass instead of two and more, which
    pays when many products follow (see above).
    """
    point = z.detach().requires_grad_()
    with torch.enable_grad():
        outputs = explain(point)

    def pull(u: Outputs) -> Latents:
        return torch.autograd.grad(outputs, point, u, retain_graph=True)[0]

    _load_forward_rules()
    push = _traced_push(explain, z.detach()) if traced else _dual_push(explain, z.detach())
    return Linearisation(outputs.detach(), push, pull)


def gauss_newton_product(explain: Explain, z: Latents, traced: bool = False) -> Matvec:
    """v -> J' J v, J the Jacobian of `explain` at `z`: one product J v, one J' u.

    Half the Hessian of |F - E(z)|^2 where the residual F - E(z) is 0 or E is linear; positive
    semi-definite everywhere, which the Hessian is not.
    """
    return linearise(explain, z, traced).gauss_newton


def hessian_product(loss: Callable[[Latents], Scores], z: Latents) -> Matvec:
    """v -> H v, H the exact Hessian of each image's `loss` at `z`, by double backward.

    `loss` gives one number per image, of its own row only: sums over the image, never a mean over
    the batch. The first backward pass is made once and kept.
    """
    point = z.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(loss(point).sum(), point, create_graph=True)

    def product(v: Latents) -> Latents:
        return torch.autograd.grad(slope, point, v, retain_graph=True)[0]

    return product


@functools.cache
def _load_forward_rules() -> None:
    """Torch scripts some rules at the first dual number of a process and warns of that itself."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", ".torch.jit.script. is deprecated", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


def _dual_push(explain: Explain, z: Latents) -> Callable[[Latents], Outputs]:
    def push(v: Latents) -> Outputs:
        with torch.no_grad(), forward_ad.dual_level():
            outputs, tangent = forward_ad.unpack_dual(explain(forward_ad.make_dual(z, v)))
            return torch.zeros_like(outputs) if tangent is None else tangent

    return push


def _traced_push(explain: Explain, z: Latents) -> Callable[[Latents], Outputs]:
    with warnings.catch_warnings(), torch.no_grad():
        # torch's own tracer warns of how it names the constants that it folds
        warnings.filterwarnings("ignore", "Attempted to insert a get_attr Node", UserWarning)
        _, tangent = linearize(explain, z)

    def push(v: Latents) -> Outputs:
        with torch.no_grad():
            return tangent(v)

    return push
