"""Crafter-z (Algorithm 3): search the latent vector itself and release the feature of its face.

No implicit gradient is needed, and nothing of the feature remains that the prior cannot draw. The
paper keeps it as a baseline: its trade-off is steered by the rate more than by beta (App. L).
"""

from dataclasses import dataclass, field

import torch
from torch import Generator

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.defences.privacy import AbstractDistance, AbstractMeasure, CriticDistance
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent, squared
from facecrafter.randomness import child, normal
from facecrafter.types import Features, Images, Latents


@dataclass(frozen=True)
class CrafterZ(AbstractDefence):
    """Minimise L_p(z) + beta L_u(Enc(G(z))) over z from the best response to Enc(X)."""

    beta: float = 20.0  # paper, VI-B (CelebA)
    rate: float = 0.005  # lr_z of Adam; paper, App. G
    steps: int = 100  # ours; the paper says "until converged"
    begin: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # line 1; ours
    distance: AbstractDistance = field(default_factory=lambda: CriticDistance(steps=3))  # ours

    def __post_init__(self) -> None:
        finite = self.beta < torch.inf and self.rate < torch.inf
        if not (finite and self.beta >= 0 and self.rate > 0 and self.steps >= 1):
            raise SettingError(
                f"{self}: give beta from 0, a rate above 0, both finite, and 1 step or more."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _CrafterZ(self, offline)


class _CrafterZ(AbstractProtector):
    def __init__(self, recipe: CrafterZ, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        recipe, rng = self.recipe, child(rng, "crafter-z")
        with torch.no_grad():
            raw = self.offline.encode(images)
        start = normal(len(raw), self.offline.prior.latent_dim, rng=rng, like=raw)
        latents = recipe.begin.run(self.offline.explain, raw, start).latents  # line 1
        with torch.no_grad():
            seen = self.offline.prior(latents)
        measure = recipe.distance.begin(self.offline, seen, rng)
        latents.requires_grad_()
        adam = torch.optim.Adam([latents], recipe.rate)
        for _ in range(recipe.steps):  # line 2
            loss = self._loss(measure, raw, latents)  # lines 3 to 10
            (latents.grad,) = torch.autograd.grad(loss, latents)
            adam.step()  # line 11
        with torch.no_grad():
            return Release(self.offline.explain(latents), straight(images))

    def _loss(self, measure: AbstractMeasure, raw: Features, latents: Latents) -> torch.Tensor:
        """Summed over images, so that no face's step depends on how many there are."""
        faces = self.offline.prior(latents)
        moved = squared(self.offline.encode(faces) - raw) / raw[0].numel()
        return (measure.of(faces) + self.recipe.beta * moved).sum()
