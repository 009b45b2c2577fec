"""The public prior: a generator of average faces, by WGAN-GP (Eq. 12) after a warm start.

WGAN-GP from nothing needs GPU days at this size. The warm start trains the generator as the
decoder of a variational auto-encoder, which takes minutes on a CPU and already covers the faces;
the adversarial part then sharpens it, with the reconstruction loss kept as an anchor so that no
kind of face is forgotten. `anchor=0, warm_epochs=0` is the paper's training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.amortiser import encoder_of_images, split_gaussian
from facecrafter.models.critic import Critic
from facecrafter.models.prior import Prior
from facecrafter.randomness import normal, stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.penalty import gradient_penalty
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.types import Images


@dataclass(frozen=True)
class PriorTraining:
    """Train a prior. `fit` returns the generator in evaluation mode."""

    latent_dim: int = 500  # paper, App. G (CelebA)
    width: int = 64  # paper, Table XII
    depth: int = 3  # 3 = G1, 4 = G2; paper, Table XII
    critic_width: int = 64  # paper, Table XI
    batch: int = 32  # ours
    warm_epochs: int = 20  # as the decoder of an auto-encoder; ours
    warm_rate: float = 1.5e-3  # Adam, at the peak of one cycle; ours
    divergence: float = 0.1  # weight of the KL term against the summed squared error; ours
    steps: int = 2000  # of the generator in WGAN-GP; ours
    critic_steps: int = 2  # for each of the generator's; ours
    rate: float = 1e-4  # Adam with betas 0, 0.9 as in WGAN-GP; ours
    penalty: float = 10.0  # weight of the gradient penalty; WGAN-GP's
    anchor: float = 10.0  # weight of the reconstruction error per value while adversarial; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "latent_dim", "width", "critic_width", "critic_steps")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_counts(self, "warm_epochs", "steps", least=0)
        require_positive(self, "warm_rate", "rate")
        require_not_negative(self, "divergence", "penalty", "anchor")
        if not self.warm_epochs + self.steps:
            raise SettingError(
                "warm_epochs=0 and steps=0 of PriorTraining train nothing: give either."
            )

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Prior:
        """A checkpoint of each part lies in `folder`/warm and `folder`/adversarial."""
        torch.manual_seed(stream(seed, "prior weights").initial_seed())
        prior = Prior(self.latent_dim, self.width, faces.size, self.depth).to(device)
        encoder = encoder_of_images(self.latent_dim).to(device)
        encoder(torch.zeros(2, 3, faces.size, faces.size, device=device))  # shapes the lazy layer
        critic = Critic(self.critic_width).to(device)
        parts = _Parts(self, faces, seed, torch.device(device), prior, encoder, critic)
        if self.warm_epochs:
            run(parts.warm(), folder / "warm" if folder else None)
        if self.steps:
            run(parts.adversarial(), folder / "adversarial" if folder else None)
        return prior.eval()


@dataclass
class _Parts:
    recipe: PriorTraining
    faces: Faces
    seed: int
    device: torch.device
    prior: Prior
    encoder: nn.Module
    critic: Critic

    def warm(self) -> Job:
        """Variational auto-encoder."""
        recipe = self.recipe
        steps = len(self.faces) // recipe.batch * recipe.warm_epochs
        parameters = [*self.prior.parameters(), *self.encoder.parameters()]
        optimiser = torch.optim.Adam(parameters, recipe.warm_rate)

        def step(i: int) -> Losses:
            set_rate(optimiser, recipe.warm_rate * one_cycle(i, steps))
            images = self.batch("warm", i)
            error, divergence = self.reconstruct(images, i)
            optimiser.zero_grad()
            (error + recipe.divergence * divergence).backward()
            optimiser.step()
            return {"squared error": error.item(), "divergence": divergence.item()}

        modules = {"prior": self.prior, "encoder": self.encoder}
        return self.job("prior, warm start", steps, step, modules, {"adam": optimiser})

    def adversarial(self) -> Job:
        """WGAN-GP (Eq. 12), anchored by the reconstruction error."""
        recipe = self.recipe
        mine = [*self.prior.parameters(), *self.encoder.parameters()]
        generator = torch.optim.Adam(mine, recipe.rate, betas=(0.0, 0.9))
        opponent = torch.optim.Adam(self.critic.parameters(), recipe.rate * 2, betas=(0.0, 0.9))

        def step(i: int) -> Losses:
            fade = min(1.0, 2 * (1 - i / recipe.steps))  # the last half slows to a stop
            set_rate(generator, recipe.rate * fade)
            set_rate(opponent, recipe.rate * 2 * fade)
            distance = 0.0
            for k in range(recipe.critic_steps):
                distance = self.criticise(opponent, i * recipe.critic_steps + k)
            losses = self.generate(generator, i)
            return {"distance": distance, **losses}

        modules = {"prior": self.prior, "encoder": self.encoder, "critic": self.critic}
        optimisers = {"generator": generator, "critic": opponent}
        return self.job("prior, WGAN-GP", recipe.steps, step, modules, optimisers)

    def criticise(self, optimiser: torch.optim.Optimizer, i: int) -> float:
        """One step of the critic; returns its estimate of the Wasserstein distance."""
        real = self.batch("critic", i)
        with torch.no_grad(), mixed(self.device, self.recipe.bfloat16):
            fake = self.prior(self.latents("critic latents", i)).float()
        with mixed(self.device, self.recipe.bfloat16):
            distance = self.critic(real).float().mean() - self.critic(fake).float().mean()
            penalty = gradient_penalty(self.critic, real, fake, stream(self.seed, "penalty", i))
        optimiser.zero_grad()
        (-distance + self.recipe.penalty * penalty.float()).backward()
        optimiser.step()
        return distance.item()

    def generate(self, optimiser: torch.optim.Optimizer, i: int) -> Losses:
        """One step of the generator against the critic, anchored."""
        with mixed(self.device, self.recipe.bfloat16):
            score = self.critic(self.prior(self.latents("latents", i))).float().mean()
        error, divergence = self.reconstruct(self.batch("anchor", i), i)
        anchored = (error + self.recipe.divergence * divergence) / (3 * self.faces.size**2)
        optimiser.zero_grad()
        (-score + self.recipe.anchor * anchored).backward()
        optimiser.step()
        return {"squared error": error.item()}

    def reconstruct(self, images: Images, i: int) -> tuple[Tensor, Tensor]:
        """Squared error and KL divergence of the auto-encoder, each summed per image."""
        with mixed(self.device, self.recipe.bfloat16):
            parameters = self.encoder(images).float()
        mean, log_variance = split_gaussian(parameters)
        noise = normal(*mean.shape, rng=stream(self.seed, "posterior", i), like=mean)
        with mixed(self.device, self.recipe.bfloat16):
            again = self.prior(mean + noise * (log_variance / 2).exp()).float()
        error = ((again - images) ** 2).sum(dim=(1, 2, 3)).mean()
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return error, divergence

    def batch(self, purpose: str, i: int) -> Images:
        index = shuffled(
            len(self.faces), self.recipe.batch, i, lambda e: stream(self.seed, purpose, e)
        )
        images = batch_of(self.faces, index, self.device)
        return varied(images, stream(self.seed, purpose, "view", i), shift=1, light=0.0)

    def latents(self, purpose: str, i: int) -> Tensor:
        like = torch.empty(0, device=self.device)
        rng = stream(self.seed, purpose, i)
        return normal(self.recipe.batch, self.recipe.latent_dim, rng=rng, like=like)

    def samples(self) -> Images:
        like = torch.empty(0, device=self.device)
        latents = normal(32, self.recipe.latent_dim, rng=stream(self.seed, "sheet"), like=like)
        self.prior.eval()
        with torch.no_grad():
            drawn = self.prior(latents)
        self.prior.train()
        return drawn

    def job(
        self,
        title: str,
        steps: int,
        step: Callable[[int], Losses],
        modules: Mapping[str, nn.Module],
        optimisers: Mapping[str, torch.optim.Optimizer],
    ) -> Job:
        recipe = f"{self.recipe} seed={self.seed} faces={len(self.faces)}"
        rests_on = {"faces": self.faces}
        return Job(title, steps, step, modules, optimisers, recipe, rests_on, self.samples)
