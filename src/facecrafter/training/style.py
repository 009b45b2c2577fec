"""The style-based prior of an attacker (A2): warm start, on wish adversarial, then measured.

As `training.prior` trains the device's, and for the same reason: as the decoder of a variational
auto-encoder it covers the faces within minutes of a CPU. The adversarial part is StyleGAN's:
non-saturating losses (Goodfellow et al., 2014) and R1, the squared slope of the critic on real
faces (Mescheder et al., ICML 2018), here with the reconstruction as an anchor. The last step of
each part measures where the mapping puts its styles, which `StylePrior` searches.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.amortiser import encoder_of_images, split_gaussian
from facecrafter.models.critic import Critic
from facecrafter.randomness import normal, stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.training.style_prior import WIDTHS, StylePrior, size_of
from facecrafter.types import Images


@dataclass(frozen=True)
class StyleTraining:
    """Train a style-based prior. `fit` returns it measured and in evaluation mode.

    Raises `SettingError` for a setting outside its range, and in `fit` for faces of another size
    than the widths make.
    """

    latent_dim: int = 500  # of z, p and w; ours, as G1-500's
    widths: tuple[int, ...] = WIDTHS  # of the maps of 4, 8 ... pixels; ours
    critic_width: int = 32  # ours
    batch: int = 32  # ours
    warm_epochs: int = 20  # as the decoder of an auto-encoder; ours
    warm_rate: float = 1.5e-3  # Adam, at the peak of one cycle; ours
    divergence: float = 0.12  # weight of the KL term against the summed squared error; ours
    steps: int = 0  # of the generator against the critic; ours: they sharpen, and cost most
    rate: float = 1e-4  # Adam with betas 0, 0.9; ours
    slope: float = 10.0  # weight of R1, halved in the loss; ours, the value usual for StyleGAN
    anchor: float = 10.0  # weight of the reconstruction error per value while adversarial; ours
    measured: int = 20_000  # z of which p is measured; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "latent_dim", "widths", "critic_width")
        require_counts(self, "batch", least=2)  # the encoder's batch norms need two
        require_counts(self, "warm_epochs", "steps", least=0)
        require_counts(self, "measured", least=2)
        require_positive(self, "warm_rate", "rate")
        require_not_negative(self, "divergence", "slope", "anchor")
        if not self.warm_epochs + self.steps:
            raise SettingError(
                "warm_epochs=0 and steps=0 of StyleTraining train nothing: give either."
            )

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> StylePrior:
        """A checkpoint of each part lies in `folder`/warm and `folder`/adversarial."""
        if size_of(self.widths) != faces.size:
            raise SettingError(
                f"widths={self.widths} of StyleTraining make faces of {size_of(self.widths)} "
                f"pixels, not of {faces.size}: give one width for each side of 4, 8, 16 ... pixels."
            )
        torch.manual_seed(stream(seed, "style prior weights").initial_seed())
        prior = StylePrior(self.latent_dim, self.widths).to(device)
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
    recipe: StyleTraining
    faces: Faces
    seed: int
    device: torch.device
    prior: StylePrior
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
            error, divergence = self.reconstruct(self.batch("warm", i), i)
            _descend(optimiser, error + recipe.divergence * divergence)
            self.measure_after(i, steps)
            return {"squared error": error.item(), "divergence": divergence.item()}

        modules = {"prior": self.prior, "encoder": self.encoder}
        return self.job("style prior, warm start", steps, step, modules, {"adam": optimiser})

    def adversarial(self) -> Job:
        """The prior against a critic, anchored by the reconstruction error."""
        recipe = self.recipe
        self.prior.forget()  # what was measured after the warm start is not true any longer
        mine = [*self.prior.parameters(), *self.encoder.parameters()]
        generator = torch.optim.Adam(mine, recipe.rate, betas=(0.0, 0.9))
        opponent = torch.optim.Adam(self.critic.parameters(), recipe.rate * 2, betas=(0.0, 0.9))

        def step(i: int) -> Losses:
            fade = min(1.0, 2 * (1 - i / recipe.steps))  # the last half slows to a stop
            set_rate(generator, recipe.rate * fade)
            set_rate(opponent, recipe.rate * 2 * fade)
            losses = {"critic": self.criticise(opponent, i), **self.generate(generator, i)}
            self.measure_after(i, recipe.steps)
            return losses

        modules = {"prior": self.prior, "encoder": self.encoder, "critic": self.critic}
        optimisers = {"generator": generator, "critic": opponent}
        return self.job("style prior, adversarial", recipe.steps, step, modules, optimisers)

    def criticise(self, optimiser: torch.optim.Optimizer, i: int) -> float:
        """-log D(real) - log(1 - D(fake)) + slope / 2 |grad D(real)|^2, D a sigmoid's."""
        real = self.batch("critic", i).requires_grad_()
        with torch.no_grad(), mixed(self.device, self.recipe.bfloat16):
            fake = self.prior.mapped(self.latents("critic latents", i)).float()
        with mixed(self.device, self.recipe.bfloat16):
            scores, faked = self.critic(real).float(), self.critic(fake).float()
        (grad,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
        steepness = grad.square().sum(dim=(1, 2, 3)).mean()
        loss = softplus(-scores).mean() + softplus(faked).mean()
        _descend(optimiser, loss + self.recipe.slope / 2 * steepness)
        return loss.item()

    def generate(self, optimiser: torch.optim.Optimizer, i: int) -> Losses:
        """One step on -log D(fake), anchored."""
        with mixed(self.device, self.recipe.bfloat16):
            scores = self.critic(self.prior.mapped(self.latents("latents", i))).float()
        error, divergence = self.reconstruct(self.batch("anchor", i), i)
        anchored = (error + self.recipe.divergence * divergence) / (3 * self.faces.size**2)
        _descend(optimiser, softplus(-scores).mean() + self.recipe.anchor * anchored)
        return {"squared error": error.item()}

    def reconstruct(self, images: Images, i: int) -> tuple[Tensor, Tensor]:
        """Squared error and KL divergence of the auto-encoder, each summed per image."""
        with mixed(self.device, self.recipe.bfloat16):
            parameters = self.encoder(images).float()
        mean, log_variance = split_gaussian(parameters)
        noise = normal(*mean.shape, rng=stream(self.seed, "posterior", i), like=mean)
        with mixed(self.device, self.recipe.bfloat16):
            again = self.prior.mapped(mean + noise * (log_variance / 2).exp()).float()
        error = ((again - images) ** 2).sum(dim=(1, 2, 3)).mean()
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return error, divergence

    def measure_after(self, i: int, steps: int) -> None:
        """Within the last step, so that its checkpoint is whole, and no earlier one seems to be."""
        if i + 1 == steps:
            self.prior.measure(stream(self.seed, "measured"), self.recipe.measured)

    def batch(self, purpose: str, i: int) -> Images:
        index = shuffled(
            len(self.faces), self.recipe.batch, i, lambda e: stream(self.seed, purpose, e)
        )
        images = batch_of(self.faces, index, self.device)
        return varied(images, stream(self.seed, purpose, "view", i), shift=1, light=0.0)

    def latents(self, purpose: str, i: int, count: int | None = None) -> Tensor:
        like = torch.empty(0, device=self.device)
        rng = stream(self.seed, purpose, i)
        return normal(count or self.recipe.batch, self.recipe.latent_dim, rng=rng, like=like)

    def samples(self) -> Images:
        with torch.no_grad():
            return self.prior.mapped(self.latents("sheet", 0, 32))

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


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
