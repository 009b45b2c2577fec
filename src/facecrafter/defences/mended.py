"""Mend a release: give back what its use has lost, at right angles to what a search sees.

A search of the prior (Eq. 3) stops where J' (F - Enc(G(z))) = 0, J the Jacobian of Enc(G(z)). What
is added to F at right angles to the columns of J leaves it where it is, to first order: 128 of
16,384 directions are closed, the cloud reads the rest. So do attackers who decode or search
pixels: they gain from what is given back, so let the release be crafted harder than it need be.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
)
from facecrafter.defences.response import best_response
from facecrafter.defences.utility import AbstractUtility, TaskUtility
from facecrafter.errors import SettingError
from facecrafter.implicit.products import linearise
from facecrafter.inversion import AbstractSearch, Descent, squared
from facecrafter.randomness import child
from facecrafter.types import Features, Images, Latents

PIECE = 32  # images whose bases are in memory at once; of no influence on the result


@dataclass(frozen=True)
class Mended(AbstractDefence):
    """Release F + s: s minimises L_u(F + s) + keep |s|^2 / n, and J(z*(F))' s = 0.

    F is the release of another defence, n the numbers of a feature. Costs each image one search of
    the prior, a product with J for every latent dimension, and `steps` slopes of L_u; in memory,
    latent dimensions x n numbers.
    """

    defence: AbstractDefence
    utility: AbstractUtility = field(default_factory=TaskUtility)  # L_u
    keep: float = 1.0  # weight of |s|^2 / n: more keeps F as it is; ours
    steps: int = 20  # ours
    rate: float = 0.02  # of Adam; halfway it begins to fall in a straight line to 0; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.3))  # of z*(F); ours
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        if not (0 <= self.keep < torch.inf and self.steps >= 1 and 0 < self.rate < torch.inf):
            raise SettingError(
                f"keep={self.keep}, steps={self.steps}, rate={self.rate}: give keep from 0, 1 step "
                "or more and a rate above 0."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Mended(self, self.defence.fit(offline, rng), offline)


class _Mended(AbstractProtector):
    def __init__(self, recipe: Mended, protector: AbstractProtector, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.protector, self.offline = recipe, protector, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        release = self.protector(images, rng)
        recipe, rng = self.recipe, child(rng, "mended")
        latents = best_response(self.offline, release.features, recipe.search, rng, recipe.bfloat16)
        pieces = (some.split(PIECE) for some in (images[release.order], release.features, latents))
        mended = [self._mend(*piece) for piece in zip(*pieces, strict=True)]
        return Release(torch.cat(mended), release.order)

    def _mend(self, images: Images, features: Features, latents: Latents) -> Features:
        with torch.no_grad():
            raw = self.offline.encode(images)
        lost, unseen = self.recipe.utility.of(self.offline, raw), self._unseen(latents)
        shift = torch.zeros_like(features).requires_grad_()
        adam = torch.optim.Adam([shift], self.recipe.rate)
        for i in range(self.recipe.steps):
            adam.param_groups[0]["lr"] = self.recipe.rate * min(
                1.0, 2 * (1 - i / self.recipe.steps)
            )
            with torch.enable_grad():
                kept = self.recipe.keep * squared(shift) / shift[0].numel()
                loss = (lost(features + shift) + kept).sum()
            (slope,) = torch.autograd.grad(loss, shift)
            shift.grad = unseen(slope)
            adam.step()
            with torch.no_grad():
                shift.copy_(unseen(shift))  # Adam's own scale of each number turns the direction
        return features + shift.detach()

    def _unseen(self, latents: Latents) -> Callable[[Features], Features]:
        """The part of a feature's move that is at right angles to each column of J."""
        near = linearise(self.offline.explain, latents, traced=True)
        units = torch.eye(latents.shape[1]).to(latents)
        columns = [near.push(unit.expand_as(latents)).flatten(1) for unit in units]
        basis: Tensor = torch.linalg.qr(torch.stack(columns, dim=2)).Q

        def unseen(move: Features) -> Features:
            flat = move.flatten(1).unsqueeze(2)
            return (flat - basis @ (basis.mT @ flat)).view_as(move)

        return unseen
