"""Send the feature of an average face in the place of the photograph's: one that answers alike.

Every defence that moves Enc(X) leaves something of X where it was, and an attacker who has the
defence learns to read that (A1). Here nothing is moved. The surrogate reads the photograph's
feature, and a face is drawn from nothing but that reading and chance. So whoever sees the release,
however often and whatever he has, learns no more of the photograph than the reading says.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator, Tensor

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import child, normal
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_choice, require_not_negative
from facecrafter.types import Features, Images, Latents


@dataclass(frozen=True)
class StandIn(AbstractDefence):
    """Release Enc(G(z)), z searched from chance until the surrogate reads there what it reads in X.

    `offline` needs a surrogate, as for `TaskUtility`: what it never learnt to ask is answered as
    far as it goes with what it did.
    """

    # what is to be the same: the surrogate's answers, or its last layer too ("signature"): more of
    # it serves more questions and says more of the photograph
    reading: Literal["answers", "signature"] = "signature"
    grid: float = 0.0  # readings are rounded to this, two faces' differ by 1.4; 0: not; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # ours
    bfloat16: bool = False  # mixed precision of the search: faster where a CPU has it

    def __post_init__(self) -> None:
        require_choice(self, "reading", "answers", "signature")
        require_not_negative(self, "grid")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        if offline.surrogate is None:
            raise SettingError(
                "StandIn needs a surrogate among what was prepared offline: train one with "
                "`facecrafter train surrogate`."
            )
        return _StandIn(self, offline, offline.surrogate)


class _StandIn(AbstractProtector):
    def __init__(self, recipe: StandIn, offline: Offline, surrogate: Surrogate) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline, self.surrogate = recipe, offline, surrogate

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            wanted = self._rounded(self._read(self.offline.encode(images)))
        latent_dim, own = self.offline.prior.latent_dim, child(rng, "stand-in")
        start = normal(len(images), latent_dim, rng=own, like=images)
        with mixed(images.device, self.recipe.bfloat16):
            found = self.recipe.search.run(self._explain, wanted, start)
        with torch.no_grad():
            return Release(self.offline.explain(found.latents), straight(images))

    def _explain(self, latents: Latents) -> Tensor:
        return self._read(self.offline.explain(latents))

    def _read(self, features: Features) -> Tensor:
        """What the surrogate reads, as a map of one pixel: searches take maps."""
        if self.recipe.reading == "signature":
            read = self.surrogate.signature(features)
        else:
            read = self.surrogate(features) / self.surrogate.spread[1]
        return read[..., None, None]

    def _rounded(self, reading: Tensor) -> Tensor:
        grid = self.recipe.grid
        return (reading / grid).round() * grid if grid else reading
