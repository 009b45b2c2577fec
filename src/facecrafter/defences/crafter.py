"""Crafter (Algorithm 1): move each feature a little so that whoever inverts it sees another face.

Each step asks what an attacker would see, z* (line 3), how far that is from average faces, L_p
(lines 4 to 10), and how the feature must move for z* to move there: the implicit gradient
(Algorithm 2, line 11). One loop; its parts are arguments.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.defences.privacy import (
    AbstractDistance,
    AbstractMeasure,
    AssignedDistance,
    CriticDistance,
)
from facecrafter.errors import SettingError
from facecrafter.implicit import (
    AbstractLinearSolver,
    ConjugateGradient,
    Neumann,
    SquaredDistance,
    implicit_gradient,
    published_scale,
)
from facecrafter.inversion import AbstractSearch, Descent, Momentum
from facecrafter.randomness import child, normal
from facecrafter.types import Features, Images, Latents, Scores

PUBLISHED_BATCH = 128  # authors' code


@dataclass(frozen=True)
class Crafter(AbstractDefence):
    """Minimise L_p(z*(F)) + beta L_u(F), L_u the mean square by which F differs from Enc(X).

    `fit` needs no private face. The defaults are the best that we know; `as_published` gives the
    authors' settings.
    """

    beta: float = 1.0  # weight of L_u: larger keeps more utility and more identity; paper, VI-B
    steps: int = 40  # ours; paper, VI-E: 500
    rate: float = 0.1  # of Adam on the feature; ours; authors' code: 0.01
    begin: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # first z*; ours
    follow: AbstractSearch = field(default_factory=lambda: Descent(3, 0.05))  # line 3; ours
    start: Literal["random", "amortiser", "previous"] = "previous"  # of line 3; ours
    distance: AbstractDistance = field(default_factory=AssignedDistance)  # lines 4 to 10; ours
    solver: AbstractLinearSolver = field(default_factory=lambda: ConjugateGradient(3))  # ours
    origin: AbstractDefence | None = None  # where F starts; none: Enc(X), as line 1 says; ours
    scale: float = 1.0  # of |F - Enc(G(z))|^2 in the implicit gradient; ours

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and self.steps >= 1 and self.rate > 0 and self.scale > 0):
            raise SettingError(
                f"beta={self.beta}, steps={self.steps}, rate={self.rate}, scale={self.scale}: give "
                "beta from 0, 1 step or more, a rate and a scale above 0."
            )
        if self.start not in ("random", "amortiser", "previous"):
            raise SettingError(f"start={self.start!r}: random, amortiser or previous.")

    @staticmethod
    def as_published(beta: float = 1.0, elements: int = 64 * 16 * 16) -> "Crafter":
        """The authors' settings and scales; `elements` of one feature.

        Left out: their search also rewards realism by the prior's critic, which makes z*
        stationary for another loss than the one that is differentiated.
        """
        search = Momentum(80, 5e-3, 0.9, 100.0)  # authors' code
        return Crafter(
            beta=beta,
            steps=450,  # authors' code; paper, VI-E: 500
            rate=0.01,  # authors' code
            begin=search,
            follow=search,
            start="amortiser",
            distance=CriticDistance(),
            solver=Neumann(120, 0.001),  # authors' code; paper, VI-E: 150
            scale=published_scale(PUBLISHED_BATCH, elements),
        )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        if self.start == "amortiser" and offline.amortiser is None:
            raise SettingError("start='amortiser' needs an amortiser among what was made offline.")
        origin = self.origin.fit(offline, child(rng, "origin")) if self.origin else None
        return _Crafter(self, offline, origin)


@dataclass(frozen=True, eq=False)
class Crafting:
    """Where the crafting of a batch stands after a step."""

    features: Features  # F_X
    latents: Latents  # z*(F_X), as far as it was searched
    privacy: Scores  # L_p before the step
    utility: Scores  # L_u after it
    residual: Scores  # of the linear solve, |A x - b| / |b|


class _Crafter(AbstractProtector):
    def __init__(self, recipe: Crafter, offline: Offline, origin: AbstractProtector | None) -> None:
        super().__init__()
        self.recipe, self.offline, self.origin = recipe, offline, origin

    def protect(self, images: Images, rng: Generator) -> Release:
        last = deque(self.craft(images, rng), maxlen=1).pop()
        return Release(last.features, straight(images))

    def craft(self, images: Images, rng: Generator) -> Iterator[Crafting]:
        """Algorithm 1, step by step: the caller's loop is the place for progress or limits."""
        recipe, rng = self.recipe, child(rng, "crafter")
        with torch.no_grad():
            raw = self.offline.encode(images)
        features, adam = self._origin(images, raw, rng), _Adam(raw, recipe.rate)  # line 1
        begin = self._first(raw, rng)
        latents = recipe.begin.run(self.offline.explain, features, begin).latents
        with torch.no_grad():
            seen = self.offline.prior(latents)
        measure = recipe.distance.begin(self.offline, seen, rng)
        for i in range(recipe.steps):  # line 2
            if i > 0:
                begin = latents if recipe.start == "previous" else self._first(features, rng)
                latents = recipe.follow.run(self.offline.explain, features, begin).latents  # line 3
            privacy, slope = self._slope(measure, latents)  # lines 4 to 10
            implicit = implicit_gradient(  # line 11
                SquaredDistance(self.offline.explain, recipe.scale),
                features,
                latents,
                slope,
                recipe.solver,
            )
            moved = features - raw
            direction = implicit.gradient + recipe.beta * 2 * moved / moved[0].numel()  # line 12
            features = adam.step(features, direction)  # line 13
            utility = (features - raw).flatten(1).square().mean(dim=1)
            yield Crafting(features, latents, privacy, utility, implicit.solution.residual)

    def _origin(self, images: Images, raw: Features, rng: Generator) -> Features:
        """Where F starts."""
        if self.origin is None:
            return raw.clone()
        return self.origin(images, child(rng, "origin")).in_order_of_images()

    def _first(self, features: Features, rng: Generator) -> Latents:
        """Where a search begins that does not begin at the last z*."""
        if self.recipe.start == "amortiser" and self.offline.amortiser is not None:
            with torch.no_grad():
                return self.offline.amortiser(features)
        return normal(len(features), self.offline.prior.latent_dim, rng=rng, like=features)

    def _slope(self, measure: AbstractMeasure, latents: Latents) -> tuple[Scores, Latents]:
        """L_p and dL_p/dz* of each image."""
        moving = latents.detach().requires_grad_()
        with torch.enable_grad():
            privacy = measure.of(self.offline.prior(moving))
        (slope,) = torch.autograd.grad(privacy.sum(), moving)
        return privacy.detach(), slope


class _Adam:
    """Adam on a plain tensor, betas 0.9 and 0.999 (line 13)."""

    def __init__(self, like: Features, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.first, self.second = torch.zeros_like(like), torch.zeros_like(like)

    def step(self, value: Features, slope: Features) -> Features:
        """The value after one step against the slope."""
        self.count += 1
        self.first = self.first.lerp(slope, 0.1)
        self.second = self.second.lerp(slope.square(), 0.001)
        first = self.first / (1 - 0.9**self.count)
        second = self.second / (1 - 0.999**self.count)
        return value - self.rate * first / (second.sqrt() + 1e-12)
