"""A1: an attacker who has the defence, and goes on training on what it releases (V-A, App. E).

For any attack: its decoders go on on pairs (F*, X) (Eq. 36), its prior on pairs (z*(F*), X) (Eq.
35). Training takes minutes and needs the defence, so it is a step of its own: `legs` gives what the
attacker then knows, and the attack is fitted to that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Generator, Tensor

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.models.prior import Prior
from facecrafter.randomness import child, normal, permutation
from facecrafter.training.continued import Continuation
from facecrafter.training.pairs import Keep, Pairs, intercepted, make_now
from facecrafter.training.precision import mixed
from facecrafter.types import Features


@dataclass(frozen=True)
class Continued(AbstractAttack):
    """Train the attacker's decoders or prior on intercepted pairs, then attack with them."""

    attack: AbstractAttack
    what: Literal["decoders", "prior"] = "decoders"  # Eq. 36 or Eq. 35
    training: Continuation = field(default_factory=Continuation)
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # of z*, Eq. 35; ours
    bfloat16: bool = False  # mixed precision of this search: faster where a CPU has it

    def __post_init__(self) -> None:
        if self.what not in ("decoders", "prior"):
            raise SettingError(f"what={self.what!r} of Continued: decoders or prior.")
        if not (self.faces >= 1 and self.rounds >= 1):
            raise SettingError(f"faces={self.faces}, rounds={self.rounds}: give 1 or more.")

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        """Intercept, train all legs, and fit the attack to what came of it."""
        *_, learnt = self.legs(view, self.pairs(view, rng), rng)
        return self.attack.fit(learnt, rng)

    def pairs(self, view: AttackerView, rng: Generator, keep: Keep = make_now) -> Pairs:
        """What the defence releases for the attacker's public faces; `keep` as `intercepted` has.

        Which of many public faces they are is drawn.
        """
        if view.protect is None or view.public is None:
            raise SettingError(
                "an A1 attacker protects public faces himself: give `protect` and `public` in the "
                "view."
            )
        order = permutation(len(view.public), child(rng, "public faces"))
        faces = view.public.take(order[: self.faces].sort().values.numpy())
        seed = child(rng, "pairs").initial_seed()
        return intercepted(view.protect, faces, self.rounds, seed, self._device(view), keep)

    def legs(
        self, view: AttackerView, pairs: Pairs, rng: Generator, folder: Path | None = None
    ) -> Iterator[AttackerView]:
        """What the attacker knows after each leg; `view` as it was is what he began with."""
        if self.what == "prior":
            yield from self._priors(view, pairs, rng, folder)
            return
        if not view.shadows:
            raise SettingError("no decoder in the view to go on with: give `shadows`.")
        runs = [
            self.training.run(
                decoder,
                pairs,
                seed=child(rng, "continued", number).initial_seed(),
                folder=None if folder is None else folder / f"decoder{number}",
            )
            for number, decoder in enumerate(view.shadows)
        ]
        for decoders in zip(*runs, strict=True):
            yield replace(view, shadows=decoders)

    def _priors(
        self, view: AttackerView, pairs: Pairs, rng: Generator, folder: Path | None
    ) -> Iterator[AttackerView]:
        best = self._best(view, pairs, child(rng, "best responses"))
        seed = child(rng, "continued").initial_seed()
        for prior in self.training.run(view.need_prior(), pairs, best, seed, folder):
            assert isinstance(prior, Prior)
            yield replace(view, prior=prior)

    @staticmethod
    def _device(view: AttackerView) -> torch.device:
        networks = (*view.shadows, *([view.prior] if view.prior is not None else []))
        return next((p.device for one in networks for p in one.parameters()), torch.device("cpu"))

    def _best(self, view: AttackerView, pairs: Pairs, rng: Generator) -> Tensor:
        """z*(F*) of every release, (rounds, faces, dimensions)."""
        device = next(view.need_prior().parameters()).device
        found = [
            self._respond(view, some.to(device), rng)
            for some in pairs.features.flatten(0, 1).split(64)
        ]
        return torch.cat(found).unflatten(0, pairs.images.shape[:2])

    def _respond(self, view: AttackerView, features: Features, rng: Generator) -> Tensor:
        start = normal(len(features), view.need_prior().latent_dim, rng=rng, like=features)
        if view.amortiser is not None:
            with torch.no_grad():
                start = view.amortiser(features)
        with mixed(features.device, self.bfloat16):
            found = self.search.run(view.explain, features, start)
        return found.latents.detach().cpu()
