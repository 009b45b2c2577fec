"""Eq. 3: the latent vector whose face best explains a feature, z* = argmin |F - Enc(G(z))|.

The attacker searches it to see a face; the defender searches it to know what the attacker sees.
Everything is per image: sums, never means over the batch, so that a face's result does not depend
on its neighbours.
"""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facecrafter.errors import NumericalError, SettingError
from facecrafter.types import Features, Latents, Scores

Explain = Callable[[Latents], Features]  # Enc o G


@dataclass(frozen=True)
class Response:
    """What a search found for each image."""

    latents: Latents
    losses: Scores  # squared distance |F - Enc(G(z))|^2 at `latents`


class AbstractSearch(abc.ABC):
    """A way to walk from a start to the best response."""

    @abc.abstractmethod
    def run(self, explain: Explain, features: Features, start: Latents) -> Response:
        """The best response to each feature, and how well it explains it."""


@dataclass(frozen=True)
class Descent(AbstractSearch):
    """Adam on each image's squared distance; returns the best step of each image, not the last."""

    steps: int = 600  # paper, App. G: 600
    rate: float = 0.03  # paper, App. G (development): 0.03

    def __post_init__(self) -> None:
        _positive(self, steps=self.steps, rate=self.rate)

    def run(self, explain: Explain, features: Features, start: Latents) -> Response:
        latents, best = start.clone(), start.clone()
        best_loss = torch.full_like(start[:, 0], torch.inf)
        first, second = torch.zeros_like(start), torch.zeros_like(start)
        for i in range(1, self.steps + 1):
            losses, slope = loss_and_slope(explain, features, latents)
            better = losses < best_loss
            best_loss = torch.where(better, losses, best_loss)
            best = torch.where(better[:, None], latents, best)
            first = first.lerp(slope, 0.1)  # Adam, betas 0.9 and 0.999
            second = second.lerp(slope**2, 0.001)
            moved = (first / (1 - 0.9**i)) / ((second / (1 - 0.999**i)).sqrt() + 1e-8)
            latents = latents - self.rate * _fade(i, self.steps) * moved
        return _finite(Response(best, best_loss), self)


@dataclass(frozen=True)
class Momentum(AbstractSearch):
    """The authors' search: momentum on 100 x the distance of the whole batch.

    The distance is a norm over all images together, so images share a step size; that is how the
    published figures were made, and the reason why this is not the default.
    """

    steps: int = 600  # paper, App. G
    rate: float = 5e-3  # authors' code
    momentum: float = 0.9  # authors' code
    scale: float = 100.0  # authors' code

    def __post_init__(self) -> None:
        _positive(self, steps=self.steps, rate=self.rate, scale=self.scale)
        if not 0 <= self.momentum < 1:
            raise SettingError(f"momentum={self.momentum} of Momentum: give 0 to below 1.")

    def run(self, explain: Explain, features: Features, start: Latents) -> Response:
        latents, velocity = start.clone(), torch.zeros_like(start)
        for _ in range(self.steps):
            losses, slope = loss_and_slope(explain, features, latents)
            # d|r| = d(|r|^2) / (2 |r|), over the whole batch
            slope = self.scale * slope / (2 * losses.sum().sqrt()).clamp_min(1e-12)
            velocity = self.momentum * velocity + slope
            latents = latents - self.rate * velocity
        losses, _ = loss_and_slope(explain, features, latents)
        return _finite(Response(latents, losses), self)


def loss_and_slope(
    explain: Explain, features: Features, latents: Latents
) -> tuple[Scores, Latents]:
    """|F - Enc(G(z))|^2 for each image and its gradient in z: one forward, one backward pass."""
    moving = latents.detach().requires_grad_()
    with torch.enable_grad():
        losses = squared(explain(moving).float() - features)
        (slope,) = torch.autograd.grad(losses.sum(), moving)
    return losses.detach(), slope


def squared(difference: Tensor) -> Scores:
    """Sum of squares of each image."""
    return difference.flatten(1).square().sum(dim=1)


def search_from(
    starts: Sequence[Latents],
    search: AbstractSearch,
    heat: AbstractSearch | None,
    explain: Explain,
    features: Features,
) -> Response:
    """The best response that several starts lead to, for each image by the attacker's own loss.

    With a `heat` all starts run this short search, and only the best of each image goes on with
    `search`: on LFW as good as searching all of them to the end, in under half of the passes.
    """
    if heat is None:
        return best_of([search.run(explain, features, start) for start in starts])
    ahead = best_of([heat.run(explain, features, start) for start in starts])
    return search.run(explain, features, ahead.latents)


def best_of(responses: list[Response]) -> Response:
    """For each image the response that explains it best, by the attacker's own loss."""
    losses = torch.stack([response.losses for response in responses])
    winner = losses.argmin(dim=0)
    latents = torch.stack([response.latents for response in responses])
    rows = torch.arange(latents.shape[1], device=latents.device)
    return Response(latents[winner, rows], losses[winner, rows])


def _fade(step: int, steps: int) -> float:
    """Full rate for the first half, then in a straight line to a twentieth."""
    return min(1.0, 2 * (1 - step / steps) + 0.05)


def _finite(response: Response, search: AbstractSearch) -> Response:
    if not bool(torch.isfinite(response.losses).all()):
        raise NumericalError(
            f"{search} diverged: a distance is {response.losses.max().item()}. Lower its rate, and "
            "check that the features and the weights are finite."
        )
    return response


def _positive(search: AbstractSearch, **values: float) -> None:
    for name, value in values.items():
        if not 0 < value < torch.inf:
            kind = type(search).__name__
            raise SettingError(f"{name}={value} of {kind} is not above 0, or not finite.")
