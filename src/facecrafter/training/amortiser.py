"""Amor: learn to guess the latent vector behind a feature (App. M, Eq. 37)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from facecrafter.models.amortiser import Amortiser
from facecrafter.models.prior import Prior
from facecrafter.randomness import normal, stream
from facecrafter.training.basis import Networks
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_positive
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class AmortiserTraining:
    """Train an amortiser on the prior's own faces. `fit` returns it in evaluation mode."""

    width: int = 128  # paper, Table XIII
    steps: int = 5000  # ours
    batch: int = 64  # ours
    rate: float = 1e-3  # Adam, at the peak of one cycle; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "width", "steps")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")

    def fit(
        self,
        encode: Callable[[Images], Features],
        prior: Prior,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        unfolded: Networks | None = None,
    ) -> Amortiser:
        """Minimise |z - Amor(Enc(G(z)))|^2 over z from the prior (Eq. 37).

        `unfolded`: "target" and "prior" as they were before their batch norms were folded, for
        checkpoints to know them by; a fold has other last bits on another device.
        """
        torch.manual_seed(stream(seed, "amortiser weights").initial_seed())
        like = next(prior.parameters())
        with torch.no_grad():
            channels = encode(prior(torch.zeros(1, prior.latent_dim).to(like))).shape[1]
        amortiser = Amortiser(channels, prior.latent_dim, self.width).to(device)
        optimiser = torch.optim.Adam(amortiser.parameters(), self.rate)

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, self.steps))
            rng = stream(seed, "amortiser", i)
            latents = normal(self.batch, prior.latent_dim, rng=rng, like=like)
            with torch.no_grad(), mixed(like.device, self.bfloat16):
                features = encode(prior(latents)).float()
            with mixed(like.device, self.bfloat16):
                guess = amortiser(features).float()
            loss = ((guess - latents) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"squared error": loss.item()}

        recipe = f"{self} seed={seed} latent={prior.latent_dim}"
        modules, optimisers = {"amortiser": amortiser}, {"a": optimiser}
        rests_on = {"target": encode, "prior": prior, **(unfolded or {})}
        run(Job("amortiser", self.steps, step, modules, optimisers, recipe, rests_on), folder)
        return amortiser.eval()
