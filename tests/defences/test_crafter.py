"""Algorithm 1 on linear networks, where each of its gradients has a closed form."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from facecrafter.defences.base import AbstractProtector, Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import AbstractGame, LatentOpponent, PixelOpponent
from facecrafter.defences.privacy import (
    AbstractDistance,
    AbstractMeasure,
    AssignedDistance,
)
from facecrafter.defences.utility import FeatureUtility
from facecrafter.errors import FacecrafterError, NotProtected, SettingError
from facecrafter.implicit import (
    AbstractLinearSolver,
    ConjugateGradient,
    Lanczos,
    Neumann,
)
from facecrafter.inversion import squared
from facecrafter.randomness import stream
from facecrafter.types import Features, Images, Scores
from linear_networks import (
    ExactSearch,
    Fixed,
    FixedMeasure,
    Linear,
    Network,
    crafted,
    linear_network,
    photographs,
    steps_of,
    targets,
)

IMAGES = 4


def exact(network: Network, **settings: Any) -> LatentOpponent:
    """The simulated attacker with z* by its formula."""
    search = ExactSearch(network)
    return LatentOpponent(begin_with=search, follow=search, **settings)


def after_one_move(
    network: Network, solver: AbstractLinearSolver, beta: float
) -> tuple[AbstractGame, Tensor, Features]:
    """A game after one move from moved features; the gradient it used; the features before."""
    game: Any = exact(network, solver=solver).begin(
        network.offline(), photographs(IMAGES), stream(0, "game")
    )
    game.features += torch.randn(
        game.raw.shape, generator=stream(0, "moved"), dtype=torch.float64
    )  # so that L_u has a gradient
    before = game.features.clone()
    lost = FeatureUtility().of(network.offline(), game.raw)
    privacy = FixedMeasure(targets(network)).of(game.seen())
    game.move(privacy, lambda features: beta * lost(features), 0.0)
    return game, game.features.grad, before


def objective(network: Network, features: Features, raw: Features, beta: float) -> Scores:
    """L_p(G(z*(F))) + beta L_u(F) of each image, z* solved anew."""
    faces = network.prior(network.best(features))
    privacy = FixedMeasure(targets(network)).of(faces)
    return privacy + beta * (features - raw).flatten(1).square().mean(dim=1)


NEARLY_EXACT = (
    ConjugateGradient(products=5, ridge=0.0, tolerance=0.0),
    Lanczos(products=5, terms=150, alpha=0.1),
    Neumann(terms=150, alpha=0.1),
)
nearly_exact = pytest.mark.parametrize("solver", NEARLY_EXACT, ids=repr)


@nearly_exact
@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_gradient_is_the_closed_form(solver: AbstractLinearSolver, beta: float) -> None:
    """dL_p/dF = M (M' M)^-1 dL_p/dz*, plus 2 beta (F - Enc(X)) / elements."""
    network = linear_network()
    game, gradient, before = after_one_move(network, solver, beta)
    faces = network.prior(network.best(before))
    slope = (2 * (faces - targets(network)) / faces[0].numel()).flatten(1) @ network.prior.matrix
    moved = before - game.raw
    expected = (slope @ torch.linalg.pinv(network.matrix)).view_as(moved)
    expected = expected + 2 * beta * moved / moved[0].numel()
    assert (expected.flatten(1).norm(dim=1) > 1e-3).all()
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)


@nearly_exact
def test_gradient_is_that_of_finite_differences_through_a_solved_argmin(
    solver: AbstractLinearSolver,
) -> None:
    network, beta, small = linear_network(), 0.7, 1e-4
    game, gradient, before = after_one_move(network, solver, beta)
    for number in range(5):
        rng = stream(number, "direction")
        way = torch.randn(before.shape, generator=rng, dtype=torch.float64)
        above, below = (
            objective(network, before + sign * small * way, game.raw, beta) for sign in (1, -1)
        )
        along = (gradient * way).flatten(1).sum(dim=1)
        torch.testing.assert_close(along, (above - below) / (2 * small), rtol=1e-6, atol=1e-9)


@nearly_exact
def test_first_step_of_adam_goes_against_the_gradient(solver: AbstractLinearSolver) -> None:
    game, gradient, before = after_one_move(linear_network(), solver, 0.7)
    expected = before - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(game.release()(), expected)


def test_first_step_of_the_whole_crafter_is_that_of_the_game() -> None:
    """`craft` hands L_p, beta and the features on: the same step by formulas alone."""
    network, images = linear_network(), photographs(IMAGES)
    opponent = exact(network, solver=NEARLY_EXACT[0])
    recipe = Crafter(0.7, 1, opponent, Fixed(targets(network)))
    raw = network.enc(images)
    faces = network.prior(network.best(raw))
    slope = (2 * (faces - targets(network)) / faces[0].numel()).flatten(1) @ network.prior.matrix
    gradient = (slope @ torch.linalg.pinv(network.matrix)).view_as(raw)
    expected = raw - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(crafted(recipe, network.offline()), expected)


@pytest.mark.parametrize("solver", NEARLY_EXACT[1:], ids=repr)
def test_converged_solvers_craft_the_same_feature(solver: AbstractLinearSolver) -> None:
    network = linear_network()
    distance = Fixed(targets(network))

    def features(solver: AbstractLinearSolver) -> Features:
        recipe = Crafter(0.01, 8, exact(network, solver=solver), distance)
        return crafted(recipe, network.offline())

    torch.testing.assert_close(features(solver), features(NEARLY_EXACT[0]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("products", "tolerance"), [(2, 2e-2), (3, 2e-3), (4, 1e-4)])
def test_few_lanczos_products_replace_the_published_series(products: int, tolerance: float) -> None:
    """At alpha lambda_max = 0.01, which real features come near, and 120 terms.

    The crafted features of 6 outer steps differ by less than the tolerance times the way that
    the published series moved them. With one product they differ by far more.
    """
    network = linear_network(latent_dim=32)
    largest = 2 * torch.linalg.matrix_norm(network.matrix, ord=2).item() ** 2  # of J' J, doubled
    alpha = 0.01 / largest

    def features(solver: AbstractLinearSolver) -> Features:
        recipe = Crafter(0.01, 6, exact(network, solver=solver), Fixed(targets(network)))
        return crafted(recipe, network.offline())

    published = features(Neumann(120, alpha))
    moved = (published - network.enc(photographs(IMAGES))).flatten(1).norm(dim=1)
    few = features(Lanczos(products, 120, alpha))
    assert ((few - published).flatten(1).norm(dim=1) < tolerance * moved).all()
    one = features(Lanczos(1, 120, alpha))
    assert ((one - published).flatten(1).norm(dim=1) > 2e-2 * moved).all()


def test_latent_opponent_lowers_the_objective_against_a_search() -> None:
    """With a real search for z*, not its formula, and the default solver."""
    network, images = linear_network(), photographs(IMAGES)
    recipe = Crafter(0.01, 40, LatentOpponent(0.005), Fixed(targets(network)))
    steps = list(steps_of(recipe, network.offline(), images))
    raw = network.enc(images)
    start = objective(network, raw, raw, 0.01)
    end = objective(network, steps[-1].features, raw, 0.01)
    assert (end < 0.5 * start).all()
    torch.testing.assert_close(steps[-1].utility, (steps[-1].features - raw).pow(2).mean((1, 2, 3)))


@pytest.mark.parametrize("opponent", ["pixel", "latent"])
def test_larger_beta_keeps_more_utility_and_less_privacy(opponent: str) -> None:
    network, images = linear_network(), photographs(IMAGES)
    goal = Fixed(targets(network))
    raw = network.enc(images)
    trade: list[tuple[float, float]] = []
    for beta in (0.003, 0.05, 1.0):
        against = PixelOpponent(0.02) if opponent == "pixel" else exact(network, rate=0.02)
        steps = list(steps_of(Crafter(beta, 40, against, goal), network.offline(), images))
        utility = (steps[-1].features - raw).square().mean().item()
        trade.append((utility, steps[-1].privacy.sum().item()))
    utilities, privacies = zip(*trade, strict=True)
    assert utilities[0] > 1.02 * utilities[1] > 1.02**2 * utilities[2] > 0
    assert privacies[0] < privacies[1] < privacies[2]


INDEPENDENT = (PixelOpponent(), "latent")


@pytest.mark.parametrize("opponent", INDEPENDENT, ids=repr)
def test_an_image_is_crafted_alike_alone_and_in_a_batch(opponent: PixelOpponent | str) -> None:
    """With the average faces fixed nothing ties the images together."""
    network, images, goals = linear_network(), photographs(IMAGES), targets(linear_network())
    against = exact(network) if isinstance(opponent, str) else opponent
    together = crafted(Crafter(0.01, 6, against, Fixed(goals)), network.offline())
    for i in range(IMAGES):
        one = Crafter(0.01, 6, against, Fixed(goals[i : i + 1]))
        alone = crafted(one, network.offline(), images[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("opponent", INDEPENDENT, ids=repr)
def test_the_assignment_alone_ties_images_together(opponent: PixelOpponent | str) -> None:
    """Neighbours matter through which average face is left over, and in no other way."""
    network, images = linear_network(), photographs(IMAGES)
    against = exact(network) if isinstance(opponent, str) else opponent
    recipe = Crafter(0.01, 6, against)
    together = crafted(recipe, network.offline(), images)
    # In another order each image gets the average face that it got before ...
    turned = crafted(recipe, network.offline(), images.flip(0)).flip(0)
    torch.testing.assert_close(turned, together, rtol=1e-9, atol=1e-9)
    # ... and against other neighbours its result is one of those that a fixed face gives.
    others = torch.cat([images[:1], photographs(IMAGES - 1, seed=7)])
    first = crafted(recipe, network.offline(), others)[:1]
    average = _average_of(recipe, network)
    by_face = torch.cat(
        [
            crafted(replace(recipe, distance=_Given(face[None])), network.offline(), images[:1])
            for face in average
        ]
    )
    for result in (first, together[:1]):
        assert squared(by_face - result).min() < 1e-12
        assert (squared(by_face - result) > 1e-3).sum() == IMAGES - 1


@dataclass(frozen=True, eq=False)
class _Given(AbstractDistance):
    """`AssignedDistance` to a face that is given."""

    faces: Images

    def begin(self, offline: Offline, faces: Images, rng: torch.Generator) -> AbstractMeasure:
        measure: Any = AssignedDistance().begin(offline, faces, rng)
        return replace(measure, assigned=self.faces)


def _average_of(recipe: Crafter, network: Network) -> Images:
    """The average faces that `crafted` deals out."""
    drawn: list[Images] = []

    class Watched(AssignedDistance):
        def begin(self, offline: Offline, faces: Images, rng: torch.Generator) -> AbstractMeasure:
            measure: Any = super().begin(offline, faces, rng)
            drawn.append(measure.assigned)
            return measure

    crafted(replace(recipe, steps=1, distance=Watched()), network.offline())
    return drawn[0]


@pytest.mark.parametrize("opponent", INDEPENDENT, ids=repr)
def test_craft_yields_once_for_each_step(opponent: PixelOpponent | str) -> None:
    network = linear_network()
    against = exact(network) if isinstance(opponent, str) else opponent
    steps = list(steps_of(Crafter(0.01, 7, against), network.offline(), photographs(IMAGES)))
    assert len(steps) == 7
    assert all(step.privacy.shape == step.utility.shape == (IMAGES,) for step in steps)
    assert not any(step.privacy.requires_grad for step in steps)
    assert steps[-1].privacy.sum() < steps[0].privacy.sum()


def test_the_caller_can_stop_crafting_and_keep_what_it_has() -> None:
    calls: list[int] = []
    network = linear_network()
    enc = network.enc

    def counted(images: Images) -> Features:
        calls.append(len(images))
        return enc(images)

    offline = replace(network.offline(), encode=counted)
    steps = list(islice(steps_of(Crafter(0.01, 1000), offline, photographs(IMAGES)), 3))
    assert len(calls) == 1 + 3  # raw features, then one pass for each step
    assert torch.isfinite(steps[-1].features).all()
    assert len(calls) == 1 + 3 + 1  # what is released is computed for whoever asks
    assert not torch.equal(steps[0].features, steps[-1].features)  # of its own step, also later
    assert (steps[-1].utility > 0).all()


def spoilt(network: Network, part: str) -> Network:
    sound: Linear = getattr(network, part)
    matrix = sound.matrix.clone()
    matrix[0, 0] = torch.nan
    return replace(network, **{part: Linear(matrix, sound.shift, sound.shape)})


@pytest.mark.parametrize("part", ["enc", "prior"])
@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        (Crafter(steps=2), NotProtected),
        (Crafter(steps=2, opponent=LatentOpponent()), FacecrafterError),
    ],
    ids=["pixel", "latent"],
)
def test_weights_that_are_not_numbers_release_nothing(
    recipe: Crafter, error: type[FacecrafterError], part: str
) -> None:
    network = spoilt(linear_network(), part)
    protector: AbstractProtector = recipe.fit(network.offline(), stream(0, "fit"))
    with pytest.raises(error):
        protector(photographs(IMAGES), stream(0, "defence"))


@pytest.mark.parametrize(
    "setting",
    [{"beta": -1.0}, {"beta": float("nan")}, {"beta": float("inf")}, {"steps": 0}],
    ids=repr,
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        Crafter(**setting)


@pytest.mark.parametrize(
    "setting",
    [
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"scale": 0.0},
        {"restarts": 0},
    ],
)
def test_opponents_refuse_settings_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        LatentOpponent(**setting)
    if "rate" in setting:
        with pytest.raises(SettingError, match="rate"):
            PixelOpponent(**setting)
