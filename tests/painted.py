"""A painted world that attacks can be tried in: small, with a prior that really draws faces.

Faces of 32 pixels, an encoder of fresh weights, a prior of principal components.
"""

from dataclasses import replace
from functools import cache

import torch
from torch import nn

from facecrafter.attacks.base import AttackerView
from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.inversion import squared
from facecrafter.metrics.image import ssim
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.randomness import stream
from facecrafter.training.decoder import DecoderTraining
from facecrafter.types import Features, Images, Latents, Scores
from linear_networks import LinearPrior

SIZE, LATENT, PRIVATE = 32, 40, 8

DECODERS = DecoderTraining(width=24, epochs=14, batch=32, rate=4e-3)


class Components(nn.Module):
    """z -> mean + sum of z_i times the i-th principal component, scaled to what faces show."""

    def __init__(self, faces: Images) -> None:
        super().__init__()
        self.mean = faces.mean(dim=0)
        _, values, components = torch.linalg.svd(
            (faces - self.mean).flatten(1), full_matrices=False
        )
        scales = values[:LATENT] / len(faces) ** 0.5
        self.components = scales[:, None] * components[:LATENT]

    def forward(self, latents: Latents) -> Images:
        return (self.mean + (latents @ self.components).view(-1, 3, SIZE, SIZE)).clamp(0, 1)


@cache
def public() -> Faces:
    return synthetic(0, people=60, photographs=4, size=SIZE)


@cache
def private() -> Images:
    """One photograph each of people whom no public face shows."""
    return synthetic(1, people=PRIVATE, photographs=1, size=SIZE).images()


@cache
def encoder() -> nn.Module:
    """12 x 16 x 16 numbers of 3 x 32 x 32, so it is lossy, but not by much."""
    torch.manual_seed(0)
    return frozen(
        nn.Sequential(
            nn.Conv2d(3, 16, 5, padding=2), nn.LeakyReLU(0.2), nn.Conv2d(16, 12, 4, 2, padding=1)
        )
    )


@cache
def prior() -> Prior:
    return LinearPrior(LATENT, Components(public().images()))


@cache
def decoder(epochs: int, seed: int = 0) -> nn.Module:
    """As `ShadowDecoder` trains them; trained once for all tests."""
    return replace(DECODERS, epochs=epochs).fit(encoder(), public(), seed)


def view(*shadows: nn.Module) -> AttackerView:
    return AttackerView(encoder(), public(), encoder(), prior(), shadows=shadows)


def plain() -> Features:
    with torch.no_grad():
        return encoder()(private())


def error(images: Images) -> Scores:
    """Mean square over the pixels of each photograph."""
    return squared(images - private()) / private()[0].numel()


def guesses() -> tuple[Scores, Scores]:
    """SSIM and error of who reads nothing: the mean of 32 average faces, for each photograph."""
    faces = prior()(torch.randn(32, LATENT, generator=stream(0, "guess")))
    pairs = [face.expand_as(private()) for face in faces]
    alike = torch.stack([ssim(pair, private()) for pair in pairs]).mean(dim=0)
    return alike, torch.stack([error(pair) for pair in pairs]).mean(dim=0)
