"""Steer the search of a prior away: blend what it explains of a release towards an average face.

A search of the prior (Eq. 3) sees no more of a feature than Enc(G(z*)), the part that the prior
explains. Only this part is blended here. The rest stays, and the cloud still reads it. So do
attackers who decode or search pixels: against them the release itself must be crafted.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
)
from facecrafter.defences.response import best_response
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.randomness import child, normal
from facecrafter.types import Features, Images

PIECE = 256  # latent vectors explained at once; of no influence on the result


@dataclass(frozen=True)
class Steered(AbstractDefence):
    """Release F + weight (Enc(G(z_avg)) - Enc(G(z*(F)))), F the release of another defence.

    z_avg is the one of `choice` random latent vectors whose feature is nearest to what the prior
    explains of F, so that little has to move. Costs one search of the prior for each image.
    """

    defence: AbstractDefence
    weight: float = 0.5  # 0 leaves F as it is, 1 replaces all that is explained; ours
    choice: int = 2048  # average faces to choose from; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.3))  # of z*(F); ours
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        if not (0 <= self.weight <= 1 and self.choice >= 1):
            raise SettingError(
                f"weight={self.weight}, choice={self.choice}: give a weight from 0 to 1, and 1 "
                "average face or more."
            )

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Steered(self, self.defence.fit(offline, rng), offline)


class _Steered(AbstractProtector):
    def __init__(self, recipe: Steered, protector: AbstractProtector, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.protector, self.offline = recipe, protector, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        release = self.protector(images, rng)
        rng = child(rng, "steered")
        explained = self._explained(release.features, rng)
        average = self._nearest(explained, rng)
        moved = release.features + self.recipe.weight * (average - explained)
        return Release(moved, release.order)

    def _explained(self, features: Features, rng: Generator) -> Features:
        """Enc(G(z*)): what a search of the prior sees."""
        recipe = self.recipe
        best = best_response(self.offline, features, recipe.search, rng, recipe.bfloat16)
        with torch.no_grad():
            return self.offline.explain(best)

    def _nearest(self, explained: Features, rng: Generator) -> Features:
        """For each image the nearest feature of an average face; neighbours do not matter."""
        best = torch.full_like(explained[:, 0, 0, 0], torch.inf)
        nearest = torch.zeros_like(explained)
        dimensions = self.offline.prior.latent_dim
        latents = normal(self.recipe.choice, dimensions, rng=rng, like=explained)
        with torch.no_grad():
            for piece in latents.split(PIECE):
                some = self.offline.explain(piece)
                apart, place = torch.cdist(explained.flatten(1), some.flatten(1)).min(dim=1)
                better = apart < best
                best = torch.where(better, apart, best)
                nearest[better] = some[place[better]]
        return nearest
