"""A1 of the paper: the attacker's network goes on learning on what is released (V-A, App. E).

His decoders go on on pairs (F*, X) (Eq. 36), or his prior on pairs (z*(F*), X) (Eq. 35).

An attack that asks afterwards whether its face explains F* would undo what was learnt: what
explains F* best is what was crafted. So decoders are averaged, not chosen by their features; and z*
is searched with the prior as it was, while the one that learnt draws the face.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.errors import SettingError
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.models.prior import Prior
from facecrafter.randomness import child, normal
from facecrafter.training.continued import Continuation
from facecrafter.training.pairs import BATCH, Keep, Pairs, make_now
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_choice, require_counts
from facecrafter.types import Features, Images, Latents


@dataclass(frozen=True)
class Continued(AbstractAdaptive):
    """Train the attacker's decoders or prior on intercepted pairs, then attack with them.

    attack: for "decoders" one that reads with a single decoder, which is given their mean.
    """

    attack: AbstractAttack
    what: Literal["decoders", "prior"] = "decoders"  # Eq. 36 or Eq. 35
    training: Continuation = field(default_factory=Continuation)
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours
    search: AbstractSearch = field(default_factory=lambda: Descent(60, 0.2))  # of z*, Eq. 35; ours
    bfloat16: bool = False  # mixed precision of this search: faster where a CPU has it

    def __post_init__(self) -> None:
        require_choice(self, "what", "decoders", "prior")
        require_counts(self, "faces", "rounds")

    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        self.device(view)
        known = replace(view, public=None, protect=None)
        if self.what == "decoders":
            yield from self._decoders(known, pairs, rng, folder)
        else:
            yield from self._priors(known, pairs, rng, folder, keep)

    def _decoders(
        self, view: AttackerView, pairs: Pairs, rng: Generator, folder: Path | None
    ) -> Iterator[AttackerView]:
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
            yield replace(view, shadows=(_Mean(decoders),))

    def _priors(
        self, view: AttackerView, pairs: Pairs, rng: Generator, folder: Path | None, keep: Keep
    ) -> Iterator[AttackerView]:
        best = self._best(view, pairs, child(rng, "best responses"), keep)
        seed, before = child(rng, "continued").initial_seed(), view.need_prior()
        for prior in self.training.run(before, pairs, best, seed, folder):
            assert isinstance(prior, Prior)
            told = (view.query, None, view.encoder, prior, view.amortiser)
            yield _TwoPriors(*told, explains=before)

    def _best(self, view: AttackerView, pairs: Pairs, rng: Generator, keep: Keep) -> Tensor:
        """z*(F*) of every release, (rounds, faces, dimensions)."""
        device = self.device(view)
        found = [
            keep(
                number,
                lambda some=some, number=number: self._respond(
                    view, some.to(device), child(rng, number)
                ),
            )
            for number, some in enumerate(pairs.features.flatten(0, 1).split(BATCH))
        ]
        return torch.cat(found).unflatten(0, pairs.images.shape[:2])

    def _respond(self, view: AttackerView, features: Features, rng: Generator) -> Tensor:
        start = normal(len(features), view.need_prior().latent_dim, rng=rng, like=features)
        if view.amortiser is not None:
            with torch.no_grad():
                start = view.amortiser(features)
        with mixed(features.device, self.bfloat16):
            found = self.search.run(view.explain, features, start)
        return found.latents.detach().float().cpu()

    def device(self, view: AttackerView) -> torch.device:
        if self.what == "prior":
            view.need_encoder()
            return next(view.need_prior().parameters()).device
        if not view.shadows:
            raise SettingError("no decoder in the view to go on with: give `shadows`.")
        return next(view.shadows[0].parameters()).device


class _Mean(nn.Module):
    """Several decoders as one: the mean of their faces."""

    def __init__(self, decoders: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(decoders)

    def forward(self, features: Features) -> Images:
        return torch.stack([decoder(features) for decoder in self.decoders]).mean(dim=0)


@dataclass(frozen=True)
class _TwoPriors(AttackerView):
    """One prior explains features, as before; the other, which learnt, draws what was found."""

    explains: Prior | None = None

    def explain(self, latents: Latents) -> Features:
        assert self.explains is not None
        return self.need_encoder()(self.explains(latents))
