"""Lemma 2: the solvers against dense algebra, against each other, and where they must fail."""

import math
from dataclasses import replace

import pytest
import torch

from facecrafter.errors import NumericalError, SettingError
from facecrafter.implicit import (
    AbstractLinearSolver,
    ConjugateGradient,
    Lanczos,
    Neumann,
    SquaredDistance,
    published_scale,
)
from facecrafter.implicit.lanczos import series
from facecrafter.implicit.solver import require_count
from facecrafter.randomness import normal, stream
from linear_problems import (
    BATCH,
    DIM,
    EXACT,
    LIKE,
    SOLVERS,
    Problem,
    each_problem,
    each_solver,
    product,
    turned,
)


def test_the_table_has_every_solver():
    ours = [k for k in AbstractLinearSolver.__subclasses__() if k.__module__.startswith("face")]
    assert {type(solver) for solver in SOLVERS} == set(ours)


@each_problem
@each_solver
def test_residual_and_products_are_those_of_the_answer(solver, problem):
    matrix, b, calls = problem.matrix(), problem.side(), []
    apply = product(matrix)
    solution = solver.solve(lambda v: calls.append(v) or apply(v), b)
    damped = solution.value * getattr(solver, "ridge", 0.0)
    left = apply(solution.value) + damped - b
    torch.testing.assert_close(
        # conjugate gradients let the recursion drift by rounding x condition (1e7 if steep)
        solution.residual,
        left.norm(dim=1) / b.norm(dim=1),
        atol=1e-8,
        rtol=1e-9,
    )
    assert solution.products == len(calls)


@each_problem
@pytest.mark.parametrize("terms", [1, 2, 150])
def test_neumann_is_the_dense_polynomial(problem, terms):
    matrix, b, alpha = problem.matrix(), problem.side(), 0.7
    step = torch.eye(DIM, dtype=b.dtype) - alpha * matrix
    powers = [torch.linalg.matrix_power(step, j) for j in range(terms + 1)]
    expected = product(alpha * torch.stack(powers).sum(dim=0))(b)
    solution = Neumann(terms=terms, alpha=alpha).solve(product(matrix), b)
    torch.testing.assert_close(solution.value, expected, atol=1e-12, rtol=1e-12)


def test_neumann_reaches_the_inverse_when_it_converges():
    problem = Problem("even")
    solution = Neumann(terms=2000, alpha=1.0).solve(product(problem.matrix()), problem.side())
    expected = torch.linalg.solve(problem.matrix(), problem.side())
    torch.testing.assert_close(solution.value, expected, atol=1e-9, rtol=1e-9)
    assert solution.residual.max() < 1e-10


@each_problem
@pytest.mark.parametrize("alpha", [0.001, 0.02, 0.5, 1.9])
def test_lanczos_is_neumann_when_the_space_is_full(problem, alpha):
    apply, b = product(problem.matrix()), problem.side()
    expected = Neumann(alpha=alpha).solve(apply, b)
    found = Lanczos(products=DIM, alpha=alpha).solve(apply, b)
    torch.testing.assert_close(found.value, expected.value, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(found.residual, expected.residual, atol=1e-10, rtol=1e-10)
    more = Lanczos(products=4 * DIM, alpha=alpha).solve(apply, b)  # capped at the dimension
    assert more.products == DIM


@pytest.mark.parametrize(
    ("top", "products", "error"),  # top = alpha * lambda_max; error relative to |x|
    [(0.01, 2, 1e-2), (0.01, 4, 1e-4), (0.1, 4, 2e-2), (0.1, 8, 1e-4), (1.9, 30, 1e-4)],
)
def test_few_lanczos_products_are_enough(top, products, error):
    problem = Problem("1/i", dim=200)
    apply, b = product(problem.matrix()), problem.side()
    expected = Neumann(alpha=top).solve(apply, b).value
    found = Lanczos(products=products, alpha=top).solve(apply, b).value
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < error


def test_lanczos_breaks_down_for_one_image_only():
    problem = Problem("1/i")
    matrix, b = problem.matrix(), problem.side()
    b[1] = torch.linalg.eigh(matrix[1]).eigenvectors[:, 3]  # its Krylov space has one dimension
    apply, asked = product(matrix), []
    found = Lanczos(products=6, alpha=0.02).solve(lambda v: asked.append(v) or apply(v), b)
    expected = Neumann(alpha=0.02).solve(product(matrix), b).value
    torch.testing.assert_close(found.value[1], expected[1], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(found.value, expected, atol=1e-3, rtol=1e-3)
    # its rounding is not taken for a direction; the others go on with unit vectors
    lengths = torch.stack(asked).norm(dim=2)
    assert lengths[1:, 1].max() == 0
    torch.testing.assert_close(lengths[:, [0, 2]], torch.ones(6, 2, dtype=b.dtype))


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
    b = product(damped)(known)
    found = replace(EXACT, ridge=0.0).solve(product(damped), b)
    expected = torch.linalg.solve(damped, b)
    torch.testing.assert_close(found.value, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.value, known, atol=1e-5, rtol=1e-5)


def test_the_ridge_is_added_to_the_matrix():
    problem = Problem("1/i")
    matrix, b = problem.matrix(), problem.side()
    found = replace(EXACT, ridge=0.3).solve(product(matrix), b).value
    expected = torch.linalg.solve(matrix + 0.3 * torch.eye(DIM, dtype=b.dtype), b)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_the_default_ridge_damps_a_flat_direction_as_the_published_series_does():
    b = torch.ones(1, 2, dtype=torch.float64)
    flat = Neumann().solve(torch.zeros_like, b).value
    torch.testing.assert_close(ConjugateGradient().solve(torch.zeros_like, b).value, flat)


def test_conjugate_gradients_stop_where_the_curvature_is_not_positive():
    values = torch.tensor([3.0, 2.0, 1.0, -5.0], dtype=torch.float64)
    matrix = turned(values, stream(3))
    matrix[0] = torch.diag(values.abs())  # the first image is well posed
    matrix[2] = -torch.eye(4, dtype=torch.float64)  # the last stops at once
    b = normal(BATCH, 4, rng=stream(4), like=LIKE)
    found = replace(EXACT, products=10).solve(product(matrix), b)
    torch.testing.assert_close(found.value[0], torch.linalg.solve(matrix[0], b[0]))
    assert torch.isfinite(found.value).all()
    assert found.value[2].abs().max() == 0
    assert found.residual[2] == 1


@each_problem
@each_solver
def test_an_image_does_not_depend_on_its_neighbours(solver, problem):
    matrix, b = problem.matrix(), problem.side()
    b[1] = 0  # a neighbour with nothing to solve, and no residual
    together = solver.solve(product(matrix), b)
    assert together.value[1].abs().max() == 0
    assert together.residual[1] == 0
    for i in range(BATCH):
        alone = solver.solve(product(matrix[i : i + 1]), b[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(alone.residual[0], together.residual[i], atol=1e-12, rtol=0)


# What must raise


@pytest.mark.parametrize(
    "solver", [Neumann(alpha=2.5), Neumann(terms=9000, alpha=9.0), Lanczos(8, alpha=2.5)], ids=repr
)
def test_a_diverging_series_raises(solver):
    problem = Problem("1/i")
    with pytest.raises(NumericalError, match=r"\|1 - alpha lambda\| < 1.*smaller alpha") as raised:
        solver.solve(product(problem.matrix()), problem.side())
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
        *((lambda n=n, s=s: s(terms=n), "terms") for n in (0, -1) for s in (Neumann, Lanczos)),
        *((lambda n=n, s=s: s(alpha=n), "alpha") for n in (0.0, -1.0) for s in (Neumann, Lanczos)),
        *((lambda n=n: Lanczos(products=n), "products") for n in (0, -3)),
        (lambda: ConjugateGradient(products=0), "products"),
        *((lambda n=n: ConjugateGradient(ridge=n), "ridge") for n in (-1e-9, math.nan, math.inf)),
        *((lambda n=n: ConjugateGradient(tolerance=n), "tolerance") for n in (-1.0, math.nan)),
        *((lambda n=n: SquaredDistance(torch.sin, scale=n), "scale") for n in (0.0, math.nan)),
        (lambda: Neumann(alpha=math.nan), "alpha"),
        (lambda: Lanczos(alpha=math.nan), "alpha"),
        # what is no int is refused by the checks of types before it comes to Neumann, in tests
        *((lambda n=n: require_count("Neumann", terms=n), "terms") for n in (math.nan, math.inf)),
        (lambda: require_count("Neumann", terms=1.5), "terms"),
        (lambda: published_scale(0, 10), "batch"),
    ],
)
def test_a_setting_out_of_range_raises(make, name):
    with pytest.raises(SettingError, match=f"{name}=.* of "):
        make()


# Single precision, in which the networks run


@each_problem
@pytest.mark.parametrize("alpha", [0.001, 0.5])
def test_single_precision_is_kept_and_enough(problem, alpha):
    matrix, b = problem.matrix(), problem.side()
    expected = Neumann(alpha=alpha).solve(product(matrix), b)
    for solver in (Neumann(alpha=alpha), Lanczos(products=DIM, alpha=alpha)):
        found = solver.solve(product(matrix.float()), b.float())
        assert found.value.dtype == found.residual.dtype == torch.float32
        torch.testing.assert_close(found.value.double(), expected.value, atol=2e-4, rtol=2e-4)
        torch.testing.assert_close(found.residual.double(), expected.residual, atol=1e-5, rtol=1e-5)


def test_a_little_negative_curvature_is_no_divergence():
    matrix = torch.diag(torch.tensor([1.0, -0.01], dtype=torch.float64)).expand(2, 2, 2)
    b = torch.ones(2, 2, dtype=torch.float64)
    for solver in (Neumann(alpha=0.5), Lanczos(products=2, alpha=0.5)):
        assert 1 < solver.solve(product(matrix), b).residual.max() < 2
