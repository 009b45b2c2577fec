"""Batches of faces for training, with the usual changes of view."""

import torch
from torch import Generator, Tensor

from facecrafter.data.faces import Faces
from facecrafter.types import Images


def batch_of(faces: Faces, index: Tensor, device: torch.device) -> Images:
    """The photographs of these indices, on the device."""
    return faces.images(index.numpy()).to(device)


def degraded(images: Images, rng: Generator, noise: float = 0.05) -> Images:
    """As reconstructions look: half of them blurred by 2 to 4 pixels, some with noise.

    A judge that saw sharp photographs only would take a blurred face for a hidden one.
    """
    count, _, height, width = images.shape
    kinds = torch.randint(0, 6, (count,), generator=rng)
    out = images.clone()
    for factor in (2, 3, 4):
        chosen = (kinds == factor - 2).to(images.device)
        small = torch.nn.functional.interpolate(
            images[chosen], scale_factor=1 / factor, mode="area"
        )
        out[chosen] = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    spread = noise * torch.rand(count, 1, 1, 1, generator=rng)
    grain = spread * torch.randn(images.shape, generator=rng)
    return (out + grain.to(images)).clamp(0, 1)


def varied(images: Images, rng: Generator, shift: int = 4, light: float = 0.1) -> Images:
    """Mirrored half of the time, moved by up to `shift` pixels, brighter or darker by `light`."""
    count, _, height, width = images.shape
    mirrored = torch.rand(count, generator=rng) < 0.5
    images = torch.where(mirrored.view(-1, 1, 1, 1).to(images.device), images.flip(3), images)
    padded = torch.nn.functional.pad(images, (shift,) * 4, mode="replicate")
    tops, lefts = torch.randint(0, 2 * shift + 1, (2, count), generator=rng).tolist()
    moved = [
        padded[i, :, top : top + height, left : left + width]
        for i, (top, left) in enumerate(zip(tops, lefts, strict=True))
    ]
    gain = 1 + light * (2 * torch.rand(count, 1, 1, 1, generator=rng) - 1)
    return (torch.stack(moved) * gain.to(images.device)).clamp(0, 1)
