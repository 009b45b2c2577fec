"""The attacker that Crafter simulates: what it sees in a feature, and how to make it see less.

`LatentOpponent` is the paper's: it searches a prior (Eq. 3), so the feature must be moved through
the implicit gradient of its best response (Alg. 1 lines 3, 11 to 13, and Alg. 2).

`PixelOpponent` searches all images, as the hybrid attacker does (Eq. 4). Enc is nearly injective
on pixels: the image that explains Enc(x) best is x. So its best response needs no search and no
implicit gradient, and the nested problem of Eq. 7 becomes a single one over x, with F = Enc(x).
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator

from facecrafter.defences.base import Offline
from facecrafter.defences.utility import Loss
from facecrafter.errors import SettingError
from facecrafter.implicit import (
    AbstractLinearSolver,
    ConjugateGradient,
    SquaredDistance,
    implicit_gradient,
)
from facecrafter.inversion import AbstractSearch, Descent, search_from
from facecrafter.randomness import normal
from facecrafter.training.precision import mixed
from facecrafter.training.state import State
from facecrafter.types import Features, Images, Latents, Scores

PIECE = 64  # images in Enc at a time on a CPU: the maps of 512 at once do not fit its caches


class AbstractOpponent(abc.ABC):
    """Hyperparameters of a simulated attacker. Subclasses are frozen dataclasses."""

    @abc.abstractmethod
    def begin(self, offline: Offline, images: Images, rng: Generator) -> "AbstractGame":
        """The game for one batch; raises `SettingError` if `offline` lacks what it needs."""


class AbstractGame(abc.ABC):
    """One batch while it is crafted against an opponent."""

    raw: Features  # Enc(X)

    @abc.abstractmethod
    def release(self) -> Callable[[], Features]:
        """F_X as it is now, to be computed by whoever wants it, also after further moves."""

    @abc.abstractmethod
    def seen(self) -> Images:
        """What the opponent sees in the features now (line 3), as leaves of a graph."""

    @abc.abstractmethod
    def move(self, privacy: Scores, utility: Loss, done: float) -> None:
        """Move the features against L_p + beta L_u (lines 10 to 13).

        privacy: L_p of each image, a function of what `seen` gave. utility: features to beta L_u.
        done: share of all steps, 0 to below 1.
        """

    @abc.abstractmethod
    def state(self) -> State:
        """All that `seen` and `move` change."""


@dataclass(frozen=True)
class PixelOpponent(AbstractOpponent):
    """Searches all images. Adam on pixels, RGB, 0 to 1, from the photograph itself."""

    rate: float = 0.03  # halfway it begins to fall in a straight line to 0; ours
    bfloat16: bool = False  # mixed precision of the slopes: faster where a CPU has it

    def __post_init__(self) -> None:
        if not 0 < self.rate < torch.inf:
            raise SettingError(f"rate={self.rate} of PixelOpponent: give a number above 0.")

    def begin(self, offline: Offline, images: Images, rng: Generator) -> AbstractGame:
        return _PixelGame(self, offline, images)


class _PixelGame(AbstractGame):
    def __init__(self, recipe: PixelOpponent, offline: Offline, images: Images) -> None:
        self.recipe, self.offline = recipe, offline
        self.pixels = images.detach().clone().requires_grad_()
        with torch.no_grad():
            self.raw = self._encode(self.pixels)
        self.adam = torch.optim.Adam([self.pixels], recipe.rate)

    def release(self) -> Callable[[], Features]:
        pixels = self.pixels.detach().clone()

        def features() -> Features:
            with torch.no_grad():
                return self._encode(pixels)

        return features

    def seen(self) -> Images:
        return self.pixels

    def move(self, privacy: Scores, utility: Loss, done: float) -> None:
        with torch.enable_grad():
            with mixed(self.pixels.device, self.recipe.bfloat16):
                lost = utility(self._encode(self.pixels))
            loss = (privacy + lost).sum()
        (self.pixels.grad,) = torch.autograd.grad(loss, self.pixels)
        self.adam.param_groups[0]["lr"] = self.recipe.rate * min(1.0, 2 * (1 - done))
        self.adam.step()
        with torch.no_grad():
            self.pixels.clamp_(0, 1)  # the opponent knows that pixels are

    def state(self) -> State:
        return State(optimisers={"adam": self.adam}, tensors={"pixels": self.pixels})

    def _encode(self, images: Images) -> Features:
        size = PIECE if images.device.type == "cpu" else len(images)
        return torch.cat([self.offline.encode(piece) for piece in images.split(size)])


@dataclass(frozen=True)
class LatentOpponent(AbstractOpponent):
    """Searches the prior: the paper's white-box attacker, with Adam on the feature."""

    rate: float = 0.1  # of Adam on F; ours; authors' code: 0.01
    begin_with: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # first z*; ours
    follow: AbstractSearch = field(default_factory=lambda: Descent(3, 0.05))  # line 3; ours
    start: Literal["random", "amortiser", "previous"] = "previous"  # of line 3; ours
    restarts: int = 1  # of the first search, from fresh starts; the best is kept; paper
    solver: AbstractLinearSolver = field(default_factory=lambda: ConjugateGradient(3))  # ours
    scale: float = 1.0  # of |F - Enc(G(z))|^2 in the implicit gradient; ours

    def __post_init__(self) -> None:
        if not (0 < self.rate < torch.inf and 0 < self.scale < torch.inf and self.restarts >= 1):
            raise SettingError(
                f"rate={self.rate}, scale={self.scale}, restarts={self.restarts}: give finite rate "
                "and scale above 0 and 1 restart or more."
            )
        if self.start not in ("random", "amortiser", "previous"):
            raise SettingError(f"start={self.start!r}: random, amortiser or previous.")

    def begin(self, offline: Offline, images: Images, rng: Generator) -> AbstractGame:
        if self.start == "amortiser" and offline.amortiser is None:
            raise SettingError("start='amortiser' needs an amortiser among what was made offline.")
        return _LatentGame(self, offline, images, rng)


class _LatentGame(AbstractGame):
    def __init__(
        self, recipe: LatentOpponent, offline: Offline, images: Images, rng: Generator
    ) -> None:
        self.recipe, self.offline, self.rng = recipe, offline, rng
        with torch.no_grad():
            self.raw = offline.encode(images)
        self.features = self.raw.clone()  # line 1
        self.adam = torch.optim.Adam([self.features], recipe.rate)
        latents = self.raw.new_zeros(len(images), offline.prior.latent_dim)
        self.latents: Latents = latents.requires_grad_()  # z*
        self.searched = False

    def release(self) -> Callable[[], Features]:
        features = self.features.detach().clone()
        return lambda: features

    def seen(self) -> Images:
        first = not self.searched
        search = self.recipe.begin_with if first else self.recipe.follow
        starts = [self._start(attempt) for attempt in range(self.recipe.restarts if first else 1)]
        found = search_from(starts, search, None, self.offline.explain, self.features)  # line 3
        self.searched = True
        with torch.no_grad():
            self.latents.copy_(found.latents)
        with torch.enable_grad():
            return self.offline.prior(self.latents)

    def move(self, privacy: Scores, utility: Loss, done: float) -> None:
        (slope,) = torch.autograd.grad(privacy.sum(), self.latents)  # line 10
        loss = SquaredDistance(self.offline.explain, self.recipe.scale)
        implicit = implicit_gradient(
            loss, self.features, self.latents.detach(), slope, self.recipe.solver
        )  # line 11
        here = self.features.detach().requires_grad_()
        with torch.enable_grad():
            (lost,) = torch.autograd.grad(utility(here).sum(), here)
        self.features.grad = implicit.gradient + lost  # line 12
        self.adam.step()  # line 13

    def state(self) -> State:
        tensors = {"features": self.features, "latents": self.latents}
        return State({}, {"adam": self.adam}, tensors, {"rng": self.rng})

    def _start(self, attempt: int) -> Latents:
        if attempt == 0 and self.recipe.start == "amortiser" and self.offline.amortiser is not None:
            with torch.no_grad():
                return self.offline.amortiser(self.features)
        if self.recipe.start == "previous" and self.searched:
            return self.latents.detach()
        count, dimensions = len(self.raw), self.offline.prior.latent_dim
        return normal(count, dimensions, rng=self.rng, like=self.raw)
