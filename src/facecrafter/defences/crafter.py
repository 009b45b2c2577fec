"""Crafter (Algorithm 1): move each feature a little so that whoever inverts it sees another face.

Each step asks what a simulated attacker would see (line 3), how far that is from average faces,
L_p (lines 4 to 10), and how the feature must move for it to see something nearer to them (lines 11
to 13). One loop; its parts are arguments.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Generator

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.defences.kept import steps
from facecrafter.defences.opponents import AbstractOpponent, LatentOpponent, PixelOpponent
from facecrafter.defences.privacy import AbstractDistance, AssignedDistance, CriticDistance
from facecrafter.defences.utility import AbstractUtility, FeatureUtility, Loss
from facecrafter.errors import SettingError
from facecrafter.implicit import Neumann, published_scale
from facecrafter.inversion import Momentum
from facecrafter.randomness import child
from facecrafter.types import Features, Images, Scores

PUBLISHED_BATCH = 128  # authors' code


@dataclass(frozen=True)
class Crafter(AbstractDefence):
    """Minimise L_p + beta L_u (Eq. 8).

    `fit` needs no private face. The defaults suit a device that knows no more than the paper's;
    `Steered` adds a second stage, and `utility=TaskUtility()` is far better where something of the
    cloud's questions is known. `as_published` gives the authors' settings.
    """

    beta: float = 0.0025  # weight of L_u: more keeps more utility and more identity; ours
    steps: int = 40  # ours; paper, VI-E: 500
    opponent: AbstractOpponent = field(default_factory=PixelOpponent)  # simulated attacker; ours
    distance: AbstractDistance = field(default_factory=AssignedDistance)  # L_p; ours
    utility: AbstractUtility = field(default_factory=FeatureUtility)  # L_u; paper, Eq. 6

    def __post_init__(self) -> None:
        if not (0 <= self.beta < torch.inf and self.steps >= 1):
            raise SettingError(
                f"beta={self.beta}, steps={self.steps}: give a finite beta from 0 and 1 step or "
                "more."
            )

    @staticmethod
    def as_published(beta: float = 1.0, elements: int = 64 * 16 * 16) -> "Crafter":
        """The authors' settings and scales; `elements` of one feature.

        Left out: their search also rewards realism by the prior's critic, which makes z*
        stationary for another loss than the one that is differentiated.
        """
        search = Momentum(80, 5e-3, 0.9, 100.0)  # authors' code
        opponent = LatentOpponent(
            rate=0.01,  # authors' code
            begin_with=search,
            follow=search,
            start="amortiser",  # authors' code
            solver=Neumann(120, 0.001),  # authors' code; paper, VI-E: 150
            scale=published_scale(PUBLISHED_BATCH, elements),
        )
        steps = 450  # authors' code; paper, VI-E: 500
        return Crafter(beta, steps, opponent, CriticDistance())

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Crafter(self, offline)


@dataclass(frozen=True, eq=False)
class Crafting:
    """Where the crafting of a batch stands after a step.

    Features and utility are computed when they are asked for: a pass through Enc that only a
    plot needs is not made where nobody plots.
    """

    release: Callable[[], Features]
    lost: Loss
    privacy: Scores  # L_p before the step

    @cached_property
    def features(self) -> Features:
        """F_X."""
        return self.release()

    @cached_property
    def utility(self) -> Scores:
        """L_u."""
        with torch.no_grad():
            return self.lost(self.features)


class _Crafter(AbstractProtector):
    def __init__(self, recipe: Crafter, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        last = deque(self.craft(images, rng), maxlen=1).pop()
        return Release(last.features, straight(images))

    def craft(self, images: Images, rng: Generator) -> Iterator[Crafting]:
        """Algorithm 1, step by step: the caller's loop is the place for progress or limits.

        With a `folder` it goes on where an earlier crafting of the same batch was stopped.
        """
        recipe, rng = self.recipe, child(rng, "crafter")
        game = recipe.opponent.begin(self.offline, images, rng)  # line 1
        lost = recipe.utility.of(self.offline, game.raw)
        seen = game.seen()  # line 3
        measure = recipe.distance.begin(self.offline, seen.detach(), rng)
        states = {"game": game.state(), "measure": measure.state()}
        for i in steps(self.folder, repr(recipe), states, recipe.steps):  # line 2
            if i > 0:
                seen = game.seen()  # line 3
            with torch.enable_grad():
                privacy = measure.of(seen)  # lines 4 to 9
            game.move(privacy, lambda f: recipe.beta * lost(f), i / recipe.steps)  # lines 10 to 13
            yield Crafting(game.release(), lost, privacy.detach())
