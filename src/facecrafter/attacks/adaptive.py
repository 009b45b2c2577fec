"""A1: attackers who have the defence, and learn from what it releases before they attack (III-B).

Learning takes minutes to hours and needs the defence, so it is a step of its own: `legs` gives what
the attacker then knows, and the attack is fitted to that.
"""

import abc
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.randomness import child, permutation
from facecrafter.training.pairs import Keep, Pairs, intercepted, make_now


class AbstractAdaptive(AbstractAttack):
    """An attack after a lesson. Subclasses are frozen dataclasses with these fields, and more."""

    attack: AbstractAttack  # how he attacks when he has learnt
    faces: int  # public ones that he has protected
    rounds: int  # times that each of them is protected

    @property
    def itself(self) -> AbstractAttack:
        """What is fitted to the view that `legs` gives."""
        return self.attack

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        """Intercept, learn to the end, and fit the attack to what came of it."""
        *_, learnt = self.legs(view, self.pairs(view, rng), rng)
        return self.itself.fit(learnt, rng)

    def pairs(self, view: AttackerView, rng: Generator, keep: Keep = make_now) -> Pairs:
        """What the defence releases for some of the public faces, drawn at random.

        `keep` as `intercepted` has it. Raises `SettingError` for a view that lacks anything that
        will be needed.
        """
        if view.protect is None or view.public is None:
            raise SettingError(
                "an A1 attacker protects public faces himself: give `protect` and `public` in the "
                "view."
            )
        device = self.device(view)
        order = permutation(len(view.public), child(rng, "public faces"))
        faces = view.public.take(order[: self.faces].sort().values.numpy())
        seed = child(rng, "pairs").initial_seed()
        return intercepted(view.protect, faces, self.rounds, seed, device, keep)

    def device(self, view: AttackerView) -> torch.device:
        """Where he learns; `SettingError` for a view that lacks what he will need."""
        held = [one for one in (*view.shadows, view.prior) if one is not None]
        return next(held[0].parameters()).device if held else torch.device("cpu")

    @abc.abstractmethod
    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        """What the attacker knows after each leg; `view` as it was is what he began with.

        It holds no public face and no defence: there is nothing more to be learnt. A training in
        `folder` is resumable; `keep` is given each batch of what is searched, and what makes it.
        """
