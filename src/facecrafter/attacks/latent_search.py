"""White-box: search the prior for the face that explains the feature (Eq. 3)."""

from dataclasses import dataclass, field

import torch
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent, search_from
from facecrafter.randomness import child, normal
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class LatentSearch(AbstractAttack):
    """Search from several fresh starts; for each face keep the one with the smallest distance.

    A short `heat` from each start decides which one is searched to the end.

    If the attacker has an amortiser (App. M), the first start is its guess.
    """

    search: AbstractSearch = field(default_factory=lambda: Descent(35, 0.35))  # ours
    heat: AbstractSearch | None = field(default_factory=lambda: Descent(10, 0.35))  # ours
    restarts: int = 3  # ours; paper: 1
    batch: int = 64  # images searched together; of no influence on the result
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        if not (self.restarts >= 1 and self.batch >= 1):
            raise SettingError(f"restarts={self.restarts}, batch={self.batch}: give 1 or more.")

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        view.need_prior()
        return _LatentSearch(self, view, child(rng, "latent search"))


class _LatentSearch(AbstractInverter):
    def __init__(self, recipe: LatentSearch, view: AttackerView, rng: Generator) -> None:
        super().__init__()
        self.recipe, self.view, self.rng = recipe, view, rng

    def forward(self, features: Features) -> Images:
        pieces = features.split(self.recipe.batch)
        return torch.cat([self._reconstruct(piece) for piece in pieces])

    def _reconstruct(self, features: Features) -> Images:
        prior = self.view.need_prior()
        starts = [
            normal(len(features), prior.latent_dim, rng=self.rng, like=features)
            for _ in range(self.recipe.restarts)
        ]
        if self.view.amortiser is not None:
            with torch.no_grad():
                starts[0] = self.view.amortiser(features)
        search, heat = self.recipe.search, self.recipe.heat
        with mixed(features.device, self.recipe.bfloat16):
            found = search_from(starts, search, heat, self.view.explain, features)
        with torch.no_grad():
            return prior(found.latents)
