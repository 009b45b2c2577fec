"""D, a critic between public faces and the prior's (Eq. 12, without training the prior)."""

from dataclasses import dataclass
from pathlib import Path

import torch

from facecrafter.data.faces import Faces
from facecrafter.models.critic import Critic
from facecrafter.models.prior import Prior
from facecrafter.randomness import normal, stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, run, shuffled
from facecrafter.training.penalty import gradient_penalty
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive


@dataclass(frozen=True)
class CriticTraining:
    """Train a critic. `fit` returns it in evaluation mode: high on public faces, low on G(z)."""

    width: int = 64  # paper, Table XI
    steps: int = 1000  # ours
    batch: int = 32  # authors' code
    rate: float = 5e-4  # Adam; authors' code
    penalty: float = 20.0  # weight of the gradient penalty; authors' code (paper: 1)
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "width", "steps", "batch")
        require_positive(self, "rate")
        require_not_negative(self, "penalty")

    def fit(
        self,
        prior: Prior,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Critic:
        """Maximise E[D(X)] - E[D(G(z))], kept 1-Lipschitz; the prior stays as it is."""
        torch.manual_seed(stream(seed, "critic weights").initial_seed())
        critic = Critic(self.width).to(device)
        optimiser = torch.optim.Adam(critic.parameters(), self.rate)
        place = torch.device(device)

        def step(i: int) -> Losses:
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "critic", e))
            real = varied(batch_of(faces, chosen, place), stream(seed, "view", i), 1, 0.0)
            rng = stream(seed, "critic latents", i)
            latents = normal(self.batch, prior.latent_dim, rng=rng, like=real)
            with torch.no_grad(), mixed(place, self.bfloat16):
                drawn = prior(latents).float()
            with mixed(place, self.bfloat16):
                distance = critic(real).float().mean() - critic(drawn).float().mean()
                penalty = gradient_penalty(critic, real, drawn, stream(seed, "between", i)).float()
            optimiser.zero_grad()
            (-distance + self.penalty * penalty).backward()
            optimiser.step()
            return {"distance": distance.item(), "penalty": penalty.item()}

        recipe = f"{self} seed={seed} faces={len(faces)} latent={prior.latent_dim}"
        modules, optimisers = {"critic": critic}, {"adam": optimiser}
        rests_on = {"faces": faces, "prior": prior}
        run(Job("critic", self.steps, step, modules, optimisers, recipe, rests_on), folder)
        return critic.eval()
