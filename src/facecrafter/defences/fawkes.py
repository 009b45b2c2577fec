"""Fawkes: cloak a photograph so that networks take it for another person's (paper, VI-A).

Shan et al., "Fawkes: Protecting Privacy against Unauthorized Deep Learning Models", USENIX Security
2020. The other person is the one of several who is farthest off, and DSSIM bounds how much is
changed. Budgets, steps, rates and the weight that follows the budget are those of their software,
version 1.0, which has three modes; it is for faces of 112 pixels, goes away from the photograph
unless told otherwise, clips the change, and takes a tenth more than the budget. Theirs spoils what
somebody learns from photographs; here it is what Enc sees.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim import Adadelta

from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.defences.base import AbstractProtector, Offline
from facecrafter.defences.cloak import AbstractCloak, AbstractCloaked, apart, dissimilarity
from facecrafter.defences.equipped import leading
from facecrafter.defences.people import Recognisers, Seen
from facecrafter.errors import DataError, NotProtected
from facecrafter.randomness import permutation, stream
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_choice, require_counts, require_not_negative
from facecrafter.types import Images, Scores


@dataclass(frozen=True)
class Mode:
    """How far Fawkes goes."""

    budget: float  # of DSSIM, 0 to 1
    steps: int
    rate: float  # of Adadelta


MODES = {  # the authors' code, version 1.0
    "low": Mode(0.004, 40, 25.0),
    "mid": Mode(0.012, 75, 20.0),
    "high": Mode(0.017, 150, 15.0),
}
WEIGHTS = 1.0, 1e10  # between which that of DSSIM follows what is over; ours
FIRST, HALVINGS = 0.02, 8  # of a pixel, 0 to 1: a step, and how often it is halved; ours
INSIDE = 2 - 1e-6  # keeps the hyperbolic tangent off its limits; the authors' code


class Acquaintance(nn.Module):
    """Networks that tell people apart, and photographs of people to be taken for."""

    others: Tensor  # (people, 3, height, width), RGB, 0 to 1

    def __init__(self, recognisers: Recognisers, others: Images) -> None:
        super().__init__()
        self.recognisers = recognisers
        self.register_buffer("others", others)


@dataclass(frozen=True)
class Fawkes(AbstractCloak[Acquaintance]):
    """Cloak with the budget of a mode, and encode. Raises `SettingError`."""

    mode: Literal["low", "mid", "high"] = "mid"
    candidates: int = 32  # public people, one of whom each photograph is to be taken for; ours
    # at first, of the square of what DSSIM is over the budget; doubled or halved with each step, as
    # it is over or not; authors' code
    weight: float = 1e7  # authors' code

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self, "mode", *MODES)
        require_counts(self, "candidates")
        require_not_negative(self, "weight")

    def prepare(
        self, offline: Offline, public: Faces, seed: int, folder: Path | None, device: torch.device
    ) -> Acquaintance:
        recognisers = self.recognisers(offline, public, seed, folder, device)
        return Acquaintance(recognisers, _others(public, self.candidates, seed).to(device))

    def protector(self, offline: Offline, equipment: Acquaintance) -> AbstractProtector:
        return _Fawkes(self, offline, equipment)


def _others(public: Faces, count: int, seed: int) -> Images:
    """A photograph of each of so many people, or of all there are."""
    people, first = np.unique(public.identities, return_index=True)
    first = first[people != NO_IDENTITY]
    if not len(first):
        raise DataError(
            "of no public face is known who it is, so there is nobody to be taken for: give faces "
            "with identities."
        )
    chosen = permutation(len(first), stream(seed, "Fawkes candidates"))[:count]
    return public.images(first[chosen.numpy()])


def _refuse_uncloaked(cloaked: Images, images: Images) -> None:
    same = int(_same(cloaked, images).sum())
    if same:
        raise NotProtected(
            f"no step brought {same} of {len(images)} photographs nearer to another person within "
            "the budget of DSSIM, so nothing was released. Take a mode that may change more, or "
            "train the networks that are to be misled anew (`equip`, with another folder)."
        )


def _same(cloaked: Images, images: Images) -> Tensor:
    """Whether each is the photograph itself; (batch,)."""
    return (cloaked == images).flatten(1).all(dim=1)


class _Fawkes(AbstractCloaked):
    def __init__(self, recipe: Fawkes, offline: Offline, known: Acquaintance) -> None:
        super().__init__(offline)
        self.recipe, self.known = recipe, known

    def cloak(self, images: Images, rng: Generator) -> Images:
        mode, wanted = MODES[self.recipe.mode], self.targets(images)
        start = torch.atanh((images.clamp(0, 1) - 0.5) * INSIDE)
        change = torch.zeros_like(start, requires_grad=True)
        optimiser = Adadelta([change], mode.rate, rho=0.95, eps=1e-7)  # Keras' defaults, theirs
        with torch.no_grad():
            best, nearest = images.clone(), self.distance(images, wanted)
        weight = torch.full_like(nearest, self.recipe.weight)
        for step in range(mode.steps + 1):
            with torch.enable_grad():
                cloaked = torch.tanh(start + change) / INSIDE + 0.5
                distance = self.distance(cloaked, wanted)
                over = dissimilarity(cloaked, images) - mode.budget
                lost = distance + weight * over.clamp(min=0) ** 2
            weight = torch.where(over > 0, 2 * weight, weight / 2).clamp(*WEIGHTS)
            better = (over <= 0) & (distance < nearest)
            best = torch.where(better[:, None, None, None], cloaked.detach(), best)
            nearest = torch.where(better, distance.detach(), nearest)
            if step < mode.steps:
                change.grad = leading(*torch.autograd.grad(lost.sum(), change))
                optimiser.step()
        best = self._at_least(images, best, wanted)
        _refuse_uncloaked(best, images)
        return best

    def _at_least(self, images: Images, best: Images, wanted: Seen) -> Images:
        """For photographs that no step cloaked within the budget, one signed step that does."""
        bare = _same(best, images)
        if not bare.any():
            return best
        at = images.detach().requires_grad_()
        with torch.enable_grad():
            before = self.distance(at, wanted)
        way = leading(*torch.autograd.grad(before.sum(), at)).sign()
        for halving in range(HALVINGS):
            cloaked = (images - FIRST / 2**halving * way).clamp(0, 1)
            with torch.no_grad():
                nearer = self.distance(cloaked, wanted) < before
            within = dissimilarity(cloaked, images) <= MODES[self.recipe.mode].budget
            better = _same(best, images) & nearer & within
            best = torch.where(better[:, None, None, None], cloaked, best)
        return best

    @torch.no_grad()
    def targets(self, images: Images) -> Seen:
        """Of each photograph, how the networks see the person that is farthest off."""
        seen, others = (self._seen(some) for some in (images, self.known.others))
        off = torch.stack(
            [
                torch.cdist(one, other) / other.norm(dim=1).clamp(min=1e-6)
                for one, other in zip(seen, others, strict=True)
            ]
        ).sum(dim=0)
        farthest = off.argmax(dim=1)
        return [other[farthest] for other in others]

    def distance(self, images: Images, wanted: Seen) -> Scores:
        """From how the networks are to see each photograph, summed over the networks."""
        return torch.stack(apart(self._seen(images), wanted)).sum(dim=0)

    def _seen(self, images: Images) -> Seen:
        with mixed(images.device, self.recipe.bfloat16):
            return [one.float() for one in self.known.recognisers(images)]
