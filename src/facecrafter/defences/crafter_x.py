"""Crafter-x (ours): search the pixels themselves and release the feature of the found image.

Algorithm 1 as published moves a feature only where the prior can follow; what the prior cannot
draw stays, and a decoder or a search over pixels (Eq. 2, Eq. 4) reads the face from it. Against
them the best response is the image itself: Enc is nearly injective on pixels, so the x* that
explains Enc(x) is x. That makes the nested problem of Eq. 7 a single one, in x:

    min_x L_p(x) + beta L_u(Enc(x)),   F = Enc(x*).

Directions in which an image may change much while its feature changes little (fine detail) go all
the way to the average face; those that the feature depends on (broad shapes, colours) stay.
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
from facecrafter.defences.privacy import AbstractDistance, AssignedDistance
from facecrafter.errors import SettingError
from facecrafter.inversion import squared
from facecrafter.randomness import child
from facecrafter.types import Images


@dataclass(frozen=True)
class CrafterX(AbstractDefence):
    """Minimise L_p(x) + beta L_u(Enc(x)) over pixels x from the photograph itself."""

    beta: float = 0.002  # weight of L_u, as in `Crafter`; ours
    rate: float = 0.03  # of Adam on pixels, RGB 0 to 1; ours
    steps: int = 40  # ours
    distance: AbstractDistance = field(default_factory=AssignedDistance)  # ours

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and self.rate > 0 and self.steps >= 1):
            raise SettingError(f"{self}: give beta from 0, a rate above 0 and 1 step or more.")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _CrafterX(self, offline)


class _CrafterX(AbstractProtector):
    def __init__(self, recipe: CrafterX, offline: Offline) -> None:
        super().__init__()
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        recipe, encode = self.recipe, self.offline.encode
        with torch.no_grad():
            raw = encode(images)
        measure = recipe.distance.begin(self.offline, images, child(rng, "crafter-x"))
        pixels = images.clone().requires_grad_()
        adam = torch.optim.Adam([pixels], recipe.rate)
        for i in range(recipe.steps):
            adam.param_groups[0]["lr"] = recipe.rate * min(1.0, 2 * (1 - i / recipe.steps))
            moved = squared(encode(pixels) - raw) / raw[0].numel()
            loss = (measure.of(pixels) + recipe.beta * moved).sum()
            (pixels.grad,) = torch.autograd.grad(loss, pixels)
            adam.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)  # the attacker knows that pixels are
        with torch.no_grad():
            return Release(encode(pixels), straight(images))
