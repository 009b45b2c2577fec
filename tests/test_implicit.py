"""Lemmas 1 and 2 against closed forms, dense algebra, finite differences and TorchOpt."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn
from torchopt import linear_solve
from torchopt.diff.implicit import custom_root

from facecrafter.errors import NumericalError, SettingError
from facecrafter.implicit import (
    AbstractInversionLoss,
    AbstractLinearSolver,
    AnyLoss,
    ConjugateGradient,
    Lanczos,
    Neumann,
    SquaredDistance,
    gauss_newton_product,
    hessian_product,
    implicit_gradient,
    linearise,
    published_scale,
)
from facecrafter.implicit.lanczos import series
from facecrafter.randomness import normal, stream

BATCH, DIM = 3, 8
LIKE = torch.zeros((), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# The tables: ways to solve, and matrices to solve with


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
        return _turned(self.values(), stream(0, self.spectrum))

    def side(self) -> Tensor:
        return normal(BATCH, self.dim, rng=stream(1, self.spectrum), like=LIKE)


def _turned(values: Tensor, rng: torch.Generator) -> Tensor:
    square = normal(BATCH, len(values), len(values), rng=rng, like=LIKE)
    turn = torch.linalg.qr(square).Q
    return turn @ torch.diag(values) @ turn.mT


def _product(matrix: Tensor) -> Callable[[Tensor], Tensor]:
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


def test_the_table_has_every_solver():
    ours = [k for k in AbstractLinearSolver.__subclasses__() if k.__module__.startswith("face")]
    assert {type(solver) for solver in SOLVERS} == set(ours)


# Solvers


@each_problem
@each_solver
def test_residual_and_products_are_those_of_the_answer(solver, problem):
    matrix, b, calls = problem.matrix(), problem.side(), []
    apply = _product(matrix)
    solution = solver.solve(lambda v: calls.append(v) or apply(v), b)
    damped = solution.value * getattr(solver, "ridge", 0.0)
    left = apply(solution.value) + damped - b
    torch.testing.assert_close(
        solution.residual, left.norm(dim=1) / b.norm(dim=1), atol=1e-12, rtol=1e-9
    )
    assert solution.products == len(calls)


@each_problem
@pytest.mark.parametrize("terms", [1, 2, 150])
def test_neumann_is_the_dense_polynomial(problem, terms):
    matrix, b, alpha = problem.matrix(), problem.side(), 0.7
    step = torch.eye(DIM, dtype=b.dtype) - alpha * matrix
    powers = [torch.linalg.matrix_power(step, j) for j in range(terms + 1)]
    expected = _product(alpha * torch.stack(powers).sum(dim=0))(b)
    solution = Neumann(terms=terms, alpha=alpha).solve(_product(matrix), b)
    torch.testing.assert_close(solution.value, expected, atol=1e-12, rtol=1e-12)


def test_neumann_reaches_the_inverse_when_it_converges():
    problem = Problem("even")
    solution = Neumann(terms=2000, alpha=1.0).solve(_product(problem.matrix()), problem.side())
    expected = torch.linalg.solve(problem.matrix(), problem.side())
    torch.testing.assert_close(solution.value, expected, atol=1e-9, rtol=1e-9)
    assert solution.residual.max() < 1e-10


@each_problem
@pytest.mark.parametrize("alpha", [0.001, 0.02, 0.5, 1.9])
def test_lanczos_is_neumann_when_the_space_is_full(problem, alpha):
    apply, b = _product(problem.matrix()), problem.side()
    expected = Neumann(alpha=alpha).solve(apply, b)
    found = Lanczos(products=DIM, alpha=alpha).solve(apply, b)
    torch.testing.assert_close(found.value, expected.value, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(found.residual, expected.residual, atol=1e-10, rtol=1e-10)
    more = Lanczos(products=4 * DIM, alpha=alpha).solve(apply, b)  # capped at the dimension
    assert more.products == DIM


@pytest.mark.parametrize(
    ("top", "products", "error"),  # top = alpha * lambda_max; error relative to |x|
    [(0.01, 2, 1e-2), (0.01, 4, 1e-4), (0.1, 4, 2e-2), (0.1, 7, 1e-4), (1.9, 30, 1e-4)],
)
def test_few_lanczos_products_are_enough(top, products, error):
    problem = Problem("1/i", dim=200)
    apply, b = _product(problem.matrix()), problem.side()
    expected = Neumann(alpha=top).solve(apply, b).value
    found = Lanczos(products=products, alpha=top).solve(apply, b).value
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < error


def test_lanczos_breaks_down_for_one_image_only():
    problem = Problem("1/i")
    matrix, b = problem.matrix(), problem.side()
    b[1] = torch.linalg.eigh(matrix[1]).eigenvectors[:, 3]  # its Krylov space has one dimension
    found = Lanczos(products=6, alpha=0.5).solve(_product(matrix), b)
    expected = Neumann(alpha=0.5).solve(_product(matrix), b).value
    torch.testing.assert_close(found.value[1], expected[1], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(found.value, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("s", [0.0, 1e-12, 1e-4, 0.49, 0.51, 1.0, 1.99, -0.01])
def test_the_closed_series_is_the_sum(s):
    expected = 0.1 * math.fsum((1 - s) ** j for j in range(151))
    found = series(torch.tensor([s / 0.1], dtype=torch.float64), terms=150, alpha=0.1)
    assert found.item() == pytest.approx(expected, rel=1e-11)


@each_problem
@pytest.mark.parametrize("ridge", [0.0, 0.01, 10.0])
def test_conjugate_gradients_reach_the_dense_solution(problem, ridge):
    damped = problem.matrix() + ridge * torch.eye(DIM, dtype=torch.float64)
    if problem.spectrum == "rank 3" and ridge == 0:
        damped = damped + torch.eye(DIM, dtype=torch.float64)  # singular otherwise
    known = normal(BATCH, DIM, rng=stream(2), like=LIKE)
    b = _product(damped)(known)
    found = replace(EXACT, ridge=0.0).solve(_product(damped), b)
    expected = torch.linalg.solve(damped, b)
    torch.testing.assert_close(found.value, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.value, known, atol=1e-5, rtol=1e-5)


def test_the_ridge_is_added_to_the_matrix():
    problem = Problem("1/i")
    matrix, b = problem.matrix(), problem.side()
    found = replace(EXACT, ridge=0.3).solve(_product(matrix), b).value
    expected = torch.linalg.solve(matrix + 0.3 * torch.eye(DIM, dtype=b.dtype), b)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_the_default_ridge_damps_a_flat_direction_as_the_published_series_does():
    b = torch.ones(1, 2, dtype=torch.float64)
    flat = Neumann().solve(torch.zeros_like, b).value
    torch.testing.assert_close(ConjugateGradient().solve(torch.zeros_like, b).value, flat)


def test_conjugate_gradients_stop_where_the_curvature_is_not_positive():
    values = torch.tensor([3.0, 2.0, 1.0, -5.0], dtype=torch.float64)
    matrix = _turned(values, stream(3))
    matrix[0] = torch.diag(values.abs())  # the first image is well posed
    matrix[2] = -torch.eye(4, dtype=torch.float64)  # the last stops at once
    b = normal(BATCH, 4, rng=stream(4), like=LIKE)
    found = replace(EXACT, products=10).solve(_product(matrix), b)
    torch.testing.assert_close(found.value[0], torch.linalg.solve(matrix[0], b[0]))
    assert torch.isfinite(found.value).all()
    assert found.value[2].abs().max() == 0
    assert found.residual[2] == 1


@each_problem
@each_solver
def test_an_image_does_not_depend_on_its_neighbours(solver, problem):
    matrix, b = problem.matrix(), problem.side()
    b[1] = 0  # a neighbour with nothing to solve, and no residual
    together = solver.solve(_product(matrix), b)
    assert together.value[1].abs().max() == 0
    assert together.residual[1] == 0
    for i in range(BATCH):
        alone = solver.solve(_product(matrix[i : i + 1]), b[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(alone.residual[0], together.residual[i], atol=1e-12, rtol=0)


# What must raise


@pytest.mark.parametrize(
    "solver", [Neumann(alpha=2.5), Neumann(terms=9000, alpha=9.0), Lanczos(8, alpha=2.5)], ids=repr
)
def test_a_diverging_series_raises(solver):
    problem = Problem("1/i")
    with pytest.raises(NumericalError, match=r"\|1 - alpha lambda\| < 1.*smaller alpha") as raised:
        solver.solve(_product(problem.matrix()), problem.side())
    assert f"alpha={solver.alpha}" in str(raised.value)


@each_solver
def test_numbers_that_are_not_finite_raise(solver):
    b = torch.ones(2, 2, dtype=torch.float64)
    wrong = b.clone()
    wrong[1, 0] = math.nan
    with pytest.raises(NumericalError, match=r"b is not finite for image\(s\) \[1\]"):
        solver.solve(lambda v: v, wrong)
    with pytest.raises(NumericalError, match=r"not finite for image\(s\) \[1\]"):
        solver.solve(lambda v: v * wrong, b)
    with pytest.raises(NumericalError, match="not finite"):
        solver.solve(lambda v: v * math.inf, b)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((lambda n=n, s=s: s(terms=n), "terms") for n in (0, -1, 1.5) for s in (Neumann, Lanczos)),
        *((lambda n=n, s=s: s(alpha=n), "alpha") for n in (0.0, -1.0) for s in (Neumann, Lanczos)),
        *((lambda n=n: Lanczos(products=n), "products") for n in (0, -3, math.nan)),
        *((lambda n=n: ConjugateGradient(products=n), "products") for n in (0, math.inf)),
        *((lambda n=n: ConjugateGradient(ridge=n), "ridge") for n in (-1e-9, math.nan, math.inf)),
        *((lambda n=n: ConjugateGradient(tolerance=n), "tolerance") for n in (-1.0, math.nan)),
        *((lambda n=n: SquaredDistance(torch.sin, scale=n), "scale") for n in (0.0, math.nan)),
        (lambda: Neumann(alpha=math.nan), "alpha"),
        (lambda: Neumann(terms=math.nan), "terms"),
        (lambda: published_scale(0, 10), "batch"),
    ],
)
def test_a_setting_out_of_range_raises(make, name):
    with pytest.raises(SettingError, match=f"{name}=.* of "):
        make()


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
    rows = [torch.func.jacrev(lambda z: NETWORK(z[None]).flatten())(z) for z in LATENTS]
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

    dense = torch.stack([torch.func.hessian(lambda x: loss(x[None])[0])(z) for z in LATENTS])
    found = hessian_product(loss, LATENTS)(VECTORS)
    torch.testing.assert_close(found, _product(dense)(VECTORS))


def test_a_map_that_ignores_z_has_no_tangent():
    found = linearise(lambda z: torch.ones_like(z) + 0 * z, LATENTS).push(VECTORS)
    torch.testing.assert_close(found, torch.zeros_like(VECTORS))
    with pytest.raises(SettingError, match="shape"):
        features = torch.zeros(BATCH, 4, dtype=torch.float64)
        SquaredDistance(torch.sin).derivatives(features, LATENTS)


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

    slope = torch.func.vmap(torch.func.grad(loss))
    hessian = torch.func.vmap(torch.func.hessian(loss))
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
    loss = AnyLoss(lambda f, z: (z * (_product(bowl)(z) / 2 - f @ LINEAR)).sum(dim=1))
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


@pytest.mark.parametrize("loss", SMOOTH.values(), ids=SMOOTH.keys())
def test_torchopt_agrees(loss, answered):
    features, best, slope = answered

    def objective(z: Tensor, f: Tensor) -> Tensor:
        return (f - _smooth(z)).square().sum()

    solve = linear_solve.solve_normal_cg(maxiter=500, atol=1e-15, rtol=1e-15)
    answer = custom_root(torch.func.grad(objective), argnums=1, solve=solve)(lambda z, f: best)
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
