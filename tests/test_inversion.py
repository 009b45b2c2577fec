"""Eq. 3: the searches for a best response, held against formulas and torch's own optimisers."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from facecrafter.errors import NumericalError, SettingError
from facecrafter.inversion import (
    AbstractSearch,
    Descent,
    Explain,
    Momentum,
    Response,
    best_of,
    loss_and_slope,
    search_from,
    squared,
)
from facecrafter.randomness import stream

IMAGES, ELEMENTS, LATENT = 4, 24, 3

searches = pytest.mark.parametrize(
    "search", [Descent(400, 0.1), Momentum(400, 2e-3, 0.8)], ids=repr
)


def matrix() -> Tensor:
    """M of the linear map z -> M z, condition number about 2."""
    return torch.randn(ELEMENTS, LATENT, generator=stream(0, "matrix"))


def linear(latents: Tensor) -> Tensor:
    return (latents @ matrix().T).view(-1, 6, 2, 2)


def curved(latents: Tensor) -> Tensor:
    """Not linear and not convex."""
    return torch.sin(1.3 * latents @ matrix().T).view(-1, 6, 2, 2)


def features() -> Tensor:
    """No latent vector explains any of these: the least distance is well above 0."""
    return torch.randn(IMAGES, 6, 2, 2, generator=stream(0, "features"))


def start() -> Tensor:
    return torch.randn(IMAGES, LATENT, generator=stream(0, "start"))


def closed_form() -> Tensor:
    """argmin |F - M z|."""
    return torch.linalg.lstsq(matrix(), features().flatten(1).T).solution.T


@searches
def test_finds_the_argmin_of_a_linear_map(search: AbstractSearch) -> None:
    found = search.run(linear, features(), start())
    best = closed_form()
    torch.testing.assert_close(found.latents, best, rtol=0, atol=1e-3)
    least = squared(linear(best) - features())
    assert (least > 1).all()
    torch.testing.assert_close(found.losses, least, rtol=1e-4, atol=0)


@searches
def test_losses_are_those_of_the_latents(search: AbstractSearch) -> None:
    found = search.run(curved, features(), start())
    torch.testing.assert_close(found.losses, squared(curved(found.latents) - features()))
    assert not found.latents.requires_grad


def test_slope_is_twice_the_transposed_map_of_the_residual() -> None:
    losses, slope = loss_and_slope(linear, features(), start())
    residual = (linear(start()) - features()).flatten(1)
    torch.testing.assert_close(losses, residual.norm(dim=1) ** 2)
    torch.testing.assert_close(slope, 2 * residual @ matrix())


def visited_by(optimiser: torch.optim.Optimizer, z: Tensor, rates: list[float]) -> list[Tensor]:
    """Latent vectors before each step of one of torch's optimisers on Eq. 3."""
    places = []
    for rate in rates:
        places.append(z.detach().clone())
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        distance = squared(curved(z) - features())
        (100 * distance.sum().sqrt() if _is_momentum(optimiser) else distance.sum()).backward()
        optimiser.step()
    return [*places, z.detach()]


def _is_momentum(optimiser: torch.optim.Optimizer) -> bool:
    return isinstance(optimiser, torch.optim.SGD)


def test_momentum_is_torchs_own_on_100_times_the_norm_of_the_batch() -> None:
    z = start().requires_grad_()
    optimiser = torch.optim.SGD([z], momentum=0.9)
    last = visited_by(optimiser, z, [1e-3] * 20)[-1]
    found = Momentum(20, 1e-3, 0.9, 100.0).run(curved, features(), start())
    torch.testing.assert_close(found.latents, last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 7, 40])
@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_descent_is_torchs_adam_and_returns_the_best_step_of_each_image(
    steps: int, rate: float
) -> None:
    z = start().requires_grad_()
    # Full rate for the first half, then in a straight line to a twentieth.
    rates = [rate * min(1, 2 * (1 - i / steps) + 0.05) for i in range(1, steps + 1)]
    visited = torch.stack(visited_by(torch.optim.Adam([z]), z, rates)[:-1])
    losses = torch.stack([squared(curved(place) - features()) for place in visited])
    found = Descent(steps, rate).run(curved, features(), start())
    torch.testing.assert_close(found.losses, losses.min(dim=0).values, rtol=1e-3, atol=1e-3)
    best = visited[losses.argmin(dim=0), torch.arange(IMAGES)]
    torch.testing.assert_close(found.latents, best, rtol=1e-3, atol=1e-3)


def test_descent_with_too_large_a_rate_does_not_return_its_last_step() -> None:
    seen: list[Tensor] = []

    def watched(latents: Tensor) -> Tensor:
        seen.append(latents.detach().clone())
        return curved(latents)

    found = Descent(40, 1.5).run(watched, features(), start())
    losses = torch.stack([squared(curved(place) - features()) for place in seen])
    torch.testing.assert_close(found.losses, losses.min(dim=0).values)
    assert (found.losses < losses[-1]).any()
    assert len(set(losses.argmin(dim=0).tolist())) > 1  # each image has a best step of its own


def alone(search: AbstractSearch, image: int) -> Tensor:
    rows = slice(image, image + 1)
    return search.run(curved, features()[rows], start()[rows]).latents


def test_descent_of_an_image_does_not_depend_on_its_neighbours() -> None:
    together = Descent(30, 0.1).run(curved, features(), start()).latents
    for image in range(IMAGES):
        apart = alone(Descent(30, 0.1), image)
        torch.testing.assert_close(together[image : image + 1], apart, rtol=1e-4, atol=1e-5)


def test_momentum_of_an_image_depends_on_its_neighbours() -> None:
    """As the authors' does: images share a step size, here about half of what each has alone."""
    together = Momentum(1, 1e-3).run(curved, features(), start()).latents - start()
    apart = torch.cat([alone(Momentum(1, 1e-3), i) for i in range(IMAGES)]) - start()
    shares = together.norm(dim=1) / apart.norm(dim=1)
    lengths = squared(curved(start()) - features()).sqrt()
    torch.testing.assert_close(shares, lengths / lengths.norm(), rtol=1e-3, atol=1e-3)
    assert (shares < 0.8).all()


@dataclass(frozen=True)
class _Marked(AbstractSearch):
    """Adds to each start; its loss is the distance to a goal of each image."""

    step: float
    goal: torch.Tensor  # (images, 1)

    def run(self, explain: Explain, features: torch.Tensor, start: torch.Tensor) -> Response:
        found = start + self.step
        return Response(found, (found - self.goal).abs().sum(dim=1))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_each_image_goes_on_from_its_best_start(order: tuple[int, ...]) -> None:
    starts = [torch.tensor([[0.0], [0.0]]), torch.tensor([[5.0], [5.0]]), torch.full((2, 1), 9.0)]
    goal = torch.tensor([[0.0], [9.0]])  # the first image's best start is 0, the second's 9
    chosen = [starts[i] for i in order]
    heat, search = _Marked(0.25, goal), _Marked(0.5, goal)
    features = torch.zeros(2, 1, 1, 1)
    raced = search_from(chosen, search, heat, lambda z: z, features)
    assert raced.latents.tolist() == [[0.75], [9.75]]  # heat and search, from the best start
    whole = search_from(chosen, search, None, lambda z: z, features)
    assert whole.latents.tolist() == [[0.5], [9.5]]


def test_best_of_picks_for_each_image() -> None:
    losses = torch.tensor([[1.0, 5.0, 2.0], [3.0, 4.0, 0.5], [2.0, 6.0, 9.0]])
    latents = torch.arange(9.0).view(3, 3, 1) + torch.zeros(2)
    best = best_of([Response(z, loss) for z, loss in zip(latents, losses, strict=True)])
    assert best.losses.tolist() == [1.0, 4.0, 0.5]
    assert best.latents.tolist() == [[0.0, 0.0], [4.0, 4.0], [5.0, 5.0]]


def exploding(latents: Tensor) -> Tensor:
    return linear(latents.pow(5))


def broken(latents: Tensor) -> Tensor:
    return linear(latents) * torch.tensor(float("nan"))


@pytest.mark.parametrize(
    ("search", "explain"),
    [
        (Momentum(50, 10.0), exploding),
        (Momentum(5), broken),
        (Descent(5), broken),
    ],
    ids=["momentum explodes", "momentum on nan", "descent on nan"],
)
def test_divergence_is_an_error_that_says_what_to_try(
    search: AbstractSearch, explain: Explain
) -> None:
    with pytest.raises(NumericalError, match="Lower its rate"):
        search.run(explain, features(), start())


@pytest.mark.parametrize("search", [Descent(5), Momentum(5)], ids=repr)
def test_one_feature_that_is_not_finite_is_an_error(search: AbstractSearch) -> None:
    spoilt = features()
    spoilt[2, 0, 0, 0] = torch.inf
    with pytest.raises(NumericalError):
        search.run(linear, spoilt, start())


@pytest.mark.parametrize("kind", [Descent, Momentum])
@pytest.mark.parametrize(
    "setting", [{"steps": 0}, {"steps": -3}, {"rate": 0.0}, {"rate": -1.0}, {"rate": float("inf")}]
)
def test_settings_out_of_range_are_refused(
    kind: type[Descent] | type[Momentum], setting: dict[str, float]
) -> None:
    with pytest.raises(SettingError, match=f"{next(iter(setting))}.*{kind.__name__}"):
        kind(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_momentum_refuses_to_gain_speed_for_ever(momentum: float) -> None:
    with pytest.raises(SettingError, match="momentum"):
        Momentum(momentum=momentum)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_momentum_refuses_a_scale_that_is_not_above_0(scale: float) -> None:
    with pytest.raises(SettingError, match="scale"):
        Momentum(scale=scale)
