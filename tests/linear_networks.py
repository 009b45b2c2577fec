"""Linear networks in float64: every argmin and every gradient of Algorithm 1 has a formula.

Enc(x) = A x + a and G(z) = B z + b, so that Enc(G(z)) = M z + m with M = A B.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter, Crafting
from facecrafter.defences.privacy import AbstractDistance, AbstractMeasure, average_faces
from facecrafter.inversion import AbstractSearch, Explain, Response, squared
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.prior import Prior
from facecrafter.randomness import child, stream
from facecrafter.types import Features, Images, Latents, Scores

SIDE = 8  # pixels
PIXELS = 3 * SIDE * SIDE


class Linear(nn.Module):
    """x -> matrix x + shift, from any shape to `shape`."""

    def __init__(self, matrix: Tensor, shift: Tensor, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.matrix, self.shift, self.shape = matrix, shift, shape

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x.flatten(1), self.matrix, self.shift).view(-1, *self.shape)


class LinearPrior(Prior):
    """Passes for a prior: `latent_dim`, and faces from latent vectors by any network."""

    def __init__(self, latent_dim: int, layers: nn.Module) -> None:
        nn.Module.__init__(self)
        self.latent_dim, self.layers = latent_dim, layers


class LinearAmortiser(Amortiser):
    """Passes for an amortiser."""

    def __init__(self, layers: nn.Module) -> None:
        nn.Module.__init__(self)
        self.layers = layers


class LinearCritic(Critic):
    """D(x) = w . x + c, which the tests can read; for images of any size."""

    def __init__(self, pixels: int) -> None:
        nn.Module.__init__(self)
        self.linear = nn.Linear(pixels, 1, dtype=torch.float64)

    def forward(self, images: Images) -> Scores:
        return self.linear(images.flatten(1)).flatten()


@dataclass(frozen=True, eq=False)
class Network:
    """Enc and G, and the product of their matrices."""

    enc: Linear
    prior: Linear
    latent_dim: int

    @property
    def matrix(self) -> Tensor:
        """M."""
        return self.enc.matrix @ self.prior.matrix

    @property
    def shift(self) -> Tensor:
        """m."""
        return self.enc.matrix @ self.prior.shift + self.enc.shift

    def best(self, features: Features) -> Latents:
        """z*(F), the argmin of |F - M z - m|."""
        return (features.flatten(1) - self.shift) @ torch.linalg.pinv(self.matrix).T

    def offline(self) -> Offline:
        return Offline(self.enc, LinearPrior(self.latent_dim, self.prior))


def drawn_by(recipe_rng: torch.Generator) -> torch.Generator:
    """The stream that a protector's door hands to `protect`, for a caller's `rng`."""
    return child(recipe_rng, "protect")


def linear_network(latent_dim: int = 5, channels: int = 3, seed: int = 0) -> Network:
    """Enc well-conditioned and, with 3 channels, invertible; faces near grey."""
    rng = stream(seed, "linear network")
    outputs = channels * SIDE * SIDE

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    near_identity = torch.eye(outputs, PIXELS, dtype=torch.float64)
    matrix = near_identity + 0.3 * draw(outputs, PIXELS) / PIXELS**0.5
    enc = Linear(matrix, draw(outputs), (channels, SIDE, SIDE))
    grey = torch.full((PIXELS,), 0.5, dtype=torch.float64)
    return Network(enc, Linear(0.1 * draw(PIXELS, latent_dim), grey, (3, SIDE, SIDE)), latent_dim)


def photographs(count: int, seed: int = 0) -> Images:
    """Random pixels, 0 to 1, in float64."""
    rng = stream(seed, "linear photographs")
    return torch.rand(count, 3, SIDE, SIDE, generator=rng, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class ExactSearch(AbstractSearch):
    """The argmin by its formula, from any start."""

    network: Network

    def run(self, explain: Explain, features: Features, start: Latents) -> Response:
        latents = self.network.best(features)
        return Response(latents, squared(explain(latents) - features))


@dataclass(frozen=True, eq=False)
class Fixed(AbstractDistance):
    """Each face becomes a given one: no draw, no assignment."""

    targets: Images

    def begin(self, offline: Offline, faces: Images, rng: torch.Generator) -> AbstractMeasure:
        return FixedMeasure(self.targets)


@dataclass(frozen=True, eq=False)
class FixedMeasure(AbstractMeasure):
    targets: Images

    def of(self, faces: Images) -> Scores:
        return squared(faces - self.targets) / faces[0].numel()


def targets(network: Network, count: int = 4) -> Images:
    return average_faces(network.offline(), count, stream(1, "targets"), photographs(1))


def crafted(
    recipe: Crafter, offline: Offline, images: Images | None = None, seed: int = 0
) -> Features:
    """Released features, in the order of the images."""
    protector = recipe.fit(offline, stream(seed, "fit"))
    images = photographs(4) if images is None else images
    return protector(images, stream(seed, "defence")).in_order_of_images()


def steps_of(recipe: Crafter, offline: Offline, images: Images) -> Iterator[Crafting]:
    protector: Any = recipe.fit(offline, stream(0, "fit"))
    return protector.craft(images, stream(0, "defence"))
