"""LowKey: change a photograph until networks no longer see the same person in it (paper, VI-A).

Cherepanova et al., "LowKey: Leveraging Adversarial Attacks to Protect Social Media Users from
Facial Recognition", ICLR 2021. Signed steps away from how the networks see the photograph, with and
without a blur, less a penalty on what an eye would notice. Rate, first noise and blur are those of
their software, which is for faces of 112 pixels. Their penalty is LPIPS, which needs a network
trained by others; here it is DSSIM.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractProtector, Offline
from facecrafter.defences.cloak import (
    AbstractCloak,
    AbstractCloaked,
    apart,
    dissimilarity,
    gaussian,
)
from facecrafter.defences.equipped import leading
from facecrafter.defences.people import Recognisers, Seen
from facecrafter.errors import NotProtected
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.types import Images, Scores

BLUR, REACH = 3.0, 3  # pixels, of a window of 7 by 7; the authors' code


@dataclass(frozen=True)
class LowKey(AbstractCloak[Recognisers]):
    """Cloak in so many signed steps, and encode. Raises `SettingError`.

    No pixel is moved by more than `noise` and all steps together.
    """

    iterations: int = 50  # paper, VI-A: 50, 75 or 100
    rate: float = 0.0025  # of a pixel, 0 to 1; authors' code
    noise: float = 0.005  # the first step's, uniform, to either side; authors' code
    # of DSSIM; ours: on LFW 50 iterations then come to a DSSIM of 0.02, as Fawkes "high" may
    weight: float = 8.0  # ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "iterations")
        require_positive(self, "rate")
        require_not_negative(self, "noise", "weight")

    def prepare(
        self, offline: Offline, public: Faces, seed: int, folder: Path | None, device: torch.device
    ) -> Recognisers:
        return self.recognisers(offline, public, seed, folder, device)

    def protector(self, offline: Offline, equipment: Recognisers) -> AbstractProtector:
        return _LowKey(self, offline, equipment)


class _LowKey(AbstractCloaked):
    def __init__(self, recipe: LowKey, offline: Offline, recognisers: Recognisers) -> None:
        super().__init__(offline)
        self.recipe, self.recognisers = recipe, recognisers

    def cloak(self, images: Images, rng: Generator) -> Images:
        drawn = torch.rand(images.shape, generator=rng).to(images)
        cloaked = images + self.recipe.noise * (2 * drawn - 1)
        with torch.no_grad():
            seen = self._seen(images)
        for _ in range(self.recipe.iterations):
            cloaked = cloaked + self.recipe.rate * self._slope(cloaked, images, seen).sign()
        cloaked = cloaked.clamp(0, 1)
        self._refuse_unseen(cloaked, seen)
        return cloaked

    @torch.no_grad()
    def _refuse_unseen(self, cloaked: Images, seen: Seen) -> None:
        """Steps that follow the penalty alone lead back to the photograph."""
        off = torch.stack(apart(self._seen(cloaked), seen)).sum(dim=0)
        same = int((off == 0).sum())
        if same:
            raise NotProtected(
                f"the networks that are to be misled see no difference in {same} of {len(off)} "
                "photographs once they are cloaked, so nothing was released. Train them anew "
                "(`equip`, with another folder)."
            )

    def gain(self, cloaked: Images, images: Images, seen: Seen) -> Scores:
        """What the steps raise: squared distances, their mean over networks, less the penalty."""
        views = (cloaked, gaussian(cloaked, BLUR, REACH))
        off = [one**2 for view in views for one in apart(self._seen(view), seen)]
        return torch.stack(off).mean(dim=0) - self.recipe.weight * dissimilarity(cloaked, images)

    def _slope(self, cloaked: Images, images: Images, seen: Seen) -> Tensor:
        at = cloaked.detach().requires_grad_()
        with torch.enable_grad():
            gained = self.gain(at, images, seen).sum()
        (slope,) = torch.autograd.grad(gained, at)
        return leading(slope)

    def _seen(self, images: Images) -> Seen:
        with mixed(images.device, self.recipe.bfloat16):
            return [one.float() for one in self.recognisers(images)]
