"""Lemma 1 against closed forms, finite differences and TorchOpt; products with Jacobians."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, jacrev, vmap
from torchopt import linear_solve
from torchopt.diff.implicit import custom_root

from facecrafter.errors import SettingError
from facecrafter.implicit import (
    AbstractInversionLoss,
    AnyLoss,
    Lanczos,
    Neumann,
    SquaredDistance,
    gauss_newton_product,
    hessian_product,
    implicit_gradient,
    linearise,
    published_scale,
)
from facecrafter.randomness import normal, stream
from linear_problems import BATCH, EXACT, LIKE, Problem, each_solver, product

# Products


def _network(rng: torch.Generator) -> nn.Module:
    """A prior and an encoder in miniature, with every kind of layer that the real ones have."""
    network = nn.Sequential(
        nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Unflatten(1, (4, 2, 2)),
        nn.ConvTranspose2d(4, 4, 5, 2, padding=2, output_padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 5, 2, padding=2, output_padding=1), nn.Sigmoid(),
        nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip
    network = network.double().eval()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            drawn = normal(*value.shape, rng=rng, like=value)
            value.copy_(drawn.abs() + 0.5 if "running_var" in name else 0.4 * drawn)
    return network  # its weights ask for gradients, as those of an unfrozen network do


NETWORK = _network(stream(5))
LATENTS = normal(BATCH, 5, rng=stream(6), like=LIKE)
VECTORS = normal(BATCH, 5, rng=stream(7), like=LIKE)


@pytest.fixture(scope="module")
def jacobian() -> Tensor:
    """J of every image, (batch, elements, latent), by reverse mode, one image at a time."""
    rows = [jacrev(lambda z: NETWORK(z[None]).flatten())(z) for z in LATENTS]
    return torch.stack(rows).detach()


@pytest.mark.parametrize("traced", [False, True])
def test_products_with_the_jacobian(jacobian, traced):
    near = linearise(NETWORK, LATENTS, traced)
    torch.testing.assert_close(near.outputs, NETWORK(LATENTS).detach())
    moved = torch.einsum("bej,bj->be", jacobian, VECTORS)
    torch.testing.assert_close(near.push(VECTORS).flatten(1), moved)
    expected = torch.einsum("bej,be->bj", jacobian, moved)
    found = gauss_newton_product(NETWORK, LATENTS, traced)(VECTORS)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-10)
    assert jacobian.abs().max() > 1e-3
    assert not found.requires_grad


@pytest.mark.parametrize("residual", [0.0, 0.3])
def test_twice_gauss_newton_is_the_hessian_only_without_a_residual(residual):
    features = NETWORK(LATENTS).detach()
    features = features + residual * normal(*features.shape, rng=stream(8), like=features)
    loss = SquaredDistance(NETWORK)
    hessian = hessian_product(lambda z: loss.value(features, z), LATENTS)(VECTORS)
    near = 2 * gauss_newton_product(NETWORK, LATENTS)(VECTORS)
    assert torch.allclose(hessian, near, rtol=1e-9, atol=1e-12) == (residual == 0)


def test_the_hessian_product_is_the_dense_one():
    def loss(z: Tensor) -> Tensor:
        return (z.sin() * z.roll(1, dims=1) ** 2).sum(dim=1)

    dense = torch.stack([jacrev(jacrev(lambda x: loss(x[None])[0]))(z) for z in LATENTS])
    found = hessian_product(loss, LATENTS)(VECTORS)
    torch.testing.assert_close(found, product(dense)(VECTORS))


def test_a_map_that_ignores_z_has_no_tangent():
    found = linearise(lambda z: torch.ones_like(z) + 0 * z, LATENTS).push(VECTORS)
    torch.testing.assert_close(found, torch.zeros_like(VECTORS))
    with pytest.raises(SettingError, match="shape"):
        SquaredDistance(torch.sin).derivatives(LATENTS[:, :4], LATENTS)


# The implicit gradient

LINEAR = normal(9, 5, rng=stream(9), like=LIKE)
BENT = normal(9, 5, rng=stream(10), like=LIKE)


def _flat(z: Tensor) -> Tensor:
    return z @ LINEAR.T


def _smooth(z: Tensor) -> Tensor:
    return torch.tanh(z @ LINEAR.T) + 0.5 * z @ BENT.T


def _losses(explain: Callable[[Tensor], Tensor]) -> dict[str, AbstractInversionLoss]:
    return {
        "gauss-newton": SquaredDistance(explain),
        "traced": SquaredDistance(explain, scale=0.3, traced=True),
        "exact": SquaredDistance(explain, scale=7.0, exact=True),
        "norm, as in the paper": AnyLoss(lambda f, z: (f - explain(z)).norm(dim=1)),
        "any": AnyLoss(lambda f, z: (f - explain(z)).square().sum(dim=1)),
    }


SMOOTH = {k: v for k, v in _losses(_smooth).items() if k not in ("gauss-newton", "traced")}


def _argmin(features: Tensor, start: Tensor) -> Tensor:
    """The best response of `_smooth`, by Newton's method on dense matrices."""

    def loss(z: Tensor, f: Tensor) -> Tensor:
        return (f - _smooth(z)).square().sum()

    slope = vmap(grad(loss))
    hessian = vmap(jacrev(jacrev(loss)))
    for _ in range(30):
        start = start - torch.linalg.solve(hessian(start, features), slope(start, features))
    assert slope(start, features).abs().max() < 1e-12
    return start


@pytest.fixture(scope="module")
def answered() -> tuple[Tensor, Tensor, Tensor]:
    """F, z*(F) and dL_p/dz* for L_p = sum of sin z*."""
    features = _smooth(LATENTS) + 0.1 * normal(BATCH, 9, rng=stream(11), like=LIKE)
    best = _argmin(features, LATENTS)
    return features, best, best.cos()


@pytest.mark.parametrize("loss", _losses(_flat).values(), ids=_losses(_flat).keys())
def test_linear_maps_have_a_closed_form(loss):
    features = normal(BATCH, 9, rng=stream(12), like=LIKE)
    best = features @ torch.linalg.pinv(LINEAR).T
    found = implicit_gradient(loss, features, best, VECTORS, EXACT)
    # z* = (M'M)^-1 M' F
    expected = VECTORS @ torch.linalg.inv(LINEAR.T @ LINEAR) @ LINEAR.T
    torch.testing.assert_close(found.gradient, expected, atol=1e-8, rtol=1e-8)
    assert found.solution.residual.max() < 1e-12


def test_quadratic_losses_have_a_closed_form():
    bowl = Problem("1/i", dim=5).matrix()  # L = z'Az / 2 - F'Bz, so z* = A^-1 B'F
    loss = AnyLoss(lambda f, z: (z * (product(bowl)(z) / 2 - f @ LINEAR)).sum(dim=1))
    features = normal(BATCH, 9, rng=stream(13), like=LIKE)
    best = torch.linalg.solve(bowl, features @ LINEAR)
    found = implicit_gradient(loss, features, best, VECTORS, EXACT).gradient
    expected = torch.linalg.solve(bowl, VECTORS) @ LINEAR.T
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("loss", SMOOTH.values(), ids=SMOOTH.keys())
def test_finite_differences_through_the_argmin(loss, answered):
    features, best, slope = answered
    found = implicit_gradient(loss, features, best, slope, EXACT).gradient
    width = 1e-4
    for k in range(9):
        step = width * torch.eye(9, dtype=torch.float64)[k]
        above, below = (_argmin(features + s * step, best).sin().sum(dim=1) for s in (1, -1))
        torch.testing.assert_close(found[:, k], (above - below) / (2 * width), atol=1e-7, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*`functorch.vjp` is deprecated:FutureWarning")  # TorchOpt's
@pytest.mark.parametrize("loss", SMOOTH.values(), ids=SMOOTH.keys())
def test_torchopt_agrees(loss, answered):
    features, best, slope = answered

    def objective(z: Tensor, f: Tensor) -> Tensor:
        return (f - _smooth(z)).square().sum()

    solve = linear_solve.solve_normal_cg(maxiter=500, atol=1e-15, rtol=1e-15)
    answer = custom_root(grad(objective), argnums=1, solve=solve)(lambda z, f: best)
    moving = features.clone().requires_grad_()
    (expected,) = torch.autograd.grad((answer(best, moving) * slope).sum(), moving)
    found = implicit_gradient(loss, features, best, slope, EXACT).gradient
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("solver", [Neumann(), Lanczos(products=5)], ids=repr)
def test_the_published_scale_gives_the_authors_convention(solver):
    features = NETWORK(LATENTS).detach() + 0.1
    z, elements = LATENTS.clone().requires_grad_(), features[0].numel()
    f = features.clone().requires_grad_()
    loss = (f - NETWORK(z)).flatten(1).square().sum(dim=1).div(elements).mean() * 2000
    (g,) = torch.autograd.grad(loss, z, create_graph=True)
    v = p = VECTORS
    for _ in range(150):
        v = v - 0.001 * torch.autograd.grad(g, z, v, retain_graph=True)[0]
        p = p + v
    (mixed,) = torch.autograd.grad(g, f, 0.001 * p)
    ours = SquaredDistance(NETWORK, published_scale(BATCH, elements), exact=True)
    found = implicit_gradient(ours, features, LATENTS, VECTORS, solver).gradient
    torch.testing.assert_close(found, -mixed, atol=1e-10, rtol=1e-8)


@each_solver
@pytest.mark.parametrize("exact", [False, True])
def test_a_gradient_does_not_depend_on_the_neighbours(solver, exact):
    features = NETWORK(LATENTS).detach() + 0.01
    loss = SquaredDistance(NETWORK, 0.01, exact=exact)
    together = implicit_gradient(loss, features, LATENTS, VECTORS, solver).gradient
    for i in range(BATCH):
        rows = slice(i, i + 1)
        alone = implicit_gradient(loss, features[rows], LATENTS[rows], VECTORS[rows], solver)
        torch.testing.assert_close(alone.gradient, together[rows], atol=1e-12, rtol=1e-12)
