"""Read what Crafter leaves alone: the part of a feature outside the range of J.

The paper's Crafter moves a feature along implicit gradients (Alg. 1, lines 11 to 13), and these lie
in the range of the Jacobian J of Enc o G at z*: a few hundred dimensions of many thousand. What
lies outside stays as it was. Who knows that ignores the range at his own z*.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView, Encode
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.errors import SettingError
from facecrafter.implicit.products import linearise
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.randomness import child, normal
from facecrafter.types import Features, Images, Latents


@dataclass(frozen=True)
class NullSpace(AbstractAttack):
    """Search pixels as ever, but let what lies in the range of J count little or not at all.

    Where the search starts, there the parts in the range stay: its `start` is given F* whole.
    """

    attack: PixelSearch = field(default_factory=PixelSearch)
    weight: float = 0.0  # of the parts in the range, 0 to 1: 1 is the attack itself; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # of z*; ours
    batch: int = 16  # images at once, each with a basis of the range; of no influence otherwise

    def __post_init__(self) -> None:
        if not (0 <= self.weight <= 1 and self.batch >= 1):
            raise SettingError(
                f"weight={self.weight}, batch={self.batch}: give 0 to 1, and 1 or more."
            )

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        view.need_prior()
        return _NullSpace(self, view, child(rng, "null space"))


class _NullSpace(AbstractInverter):
    def __init__(self, recipe: NullSpace, view: AttackerView, rng: Generator) -> None:
        super().__init__()
        self.recipe, self.view, self.rng = recipe, view, rng

    def forward(self, features: Features) -> Images:
        pieces = features.split(self.recipe.batch)
        return torch.cat([self._reconstruct(piece) for piece in pieces])

    def _reconstruct(self, features: Features) -> Images:
        basis = range_of(self.view, self._best(features))

        def outside(some: Features) -> Features:
            flat = some.flatten(1)
            inside = (basis @ (flat[:, None] @ basis).mT)[..., 0]
            return (flat - (1 - self.recipe.weight) * inside).view_as(some)

        attack = self.recipe.attack
        first = attack.start.fit(self.view, child(self.rng, "start"))(features)
        going_on = replace(attack, start=_Given(first))
        return going_on.fit(_through(self.view, outside), self.rng)(outside(features))

    def _best(self, features: Features) -> Latents:
        """z*, from the amortiser's guess if there is one."""
        start = normal(
            len(features), self.view.need_prior().latent_dim, rng=self.rng, like=features
        )
        if self.view.amortiser is not None:
            with torch.no_grad():
                start = self.view.amortiser(features)
        return self.recipe.search.run(self.view.explain, features, start).latents


def range_of(view: AttackerView, latents: Latents) -> Tensor:
    """An orthonormal basis of the range of J of Enc o G at z, (batch, numbers of F, latent)."""
    push = linearise(view.explain, latents, traced=True).push
    directions = torch.eye(latents.shape[1], dtype=latents.dtype, device=latents.device)
    columns = [push(one.expand_as(latents)).flatten(1) for one in directions]
    return torch.linalg.qr(torch.stack(columns, dim=2)).Q


def _through(view: AttackerView, outside: Encode) -> AttackerView:
    """The view of someone to whom Enc is followed by `outside`."""
    encode, query = view.need_encoder(), view.query
    return replace(view, encoder=lambda x: outside(encode(x)), query=lambda x: outside(query(x)))


@dataclass(frozen=True, eq=False)
class _Given(AbstractAttack):
    """Ends where another attack has ended."""

    images: Images

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        return _Ended(self.images)


class _Ended(AbstractInverter):
    def __init__(self, images: Images) -> None:
        super().__init__()
        self.images = images

    def forward(self, features: Features) -> Images:
        return self.images
