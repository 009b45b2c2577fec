"""Weights in the names of NVIDIA's stylegan2-ada-pytorch, and what its code makes of them."""

import math

import torch
from torch import Tensor

DIM, WIDTHS, DEPTH = 8, (6, 5, 4), 3


def weights(widths: tuple[int, ...] = WIDTHS) -> dict[str, Tensor]:
    """Of a generator of 16 x 16 pixels; every number is a sine, so that any code can make them.

    `widths`: of the maps of 4, 8, 16 ... pixels, where it is to be of another size.
    """
    sides = [4 * 2**number for number in range(len(widths))]
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (DIM,)}
    for number in range(DEPTH):
        shapes |= _linear(f"mapping.fc{number}", DIM, DIM)
    shapes["synthesis.b4.const"] = (widths[0], 4, 4)
    for side, inside, outside in zip(sides, (0, *widths), widths, strict=False):
        block = f"synthesis.b{side}"
        if inside:
            shapes |= _layer(f"{block}.conv0", inside, outside, side)
        shapes |= _layer(f"{block}.conv1", outside, outside, side)
        shapes |= _modulated(f"{block}.torgb", outside, 3, 1)
    made = {name: _sines(shape, place) for place, (name, shape) in enumerate(shapes.items())}
    for name in made:  # learnt at a hundredth of the rate, so a hundred times as large
        if name.startswith("mapping.fc"):
            made[name] = 100 * made[name]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kinds = [f"b{side}.{kind}" for side in sides for kind in ("", "conv0.", "conv1.")]
    kinds.remove("b4.conv0.")
    filters = {f"synthesis.{kind}resample_filter": torch.outer(taps, taps) / 64 for kind in kinds}
    return made | filters


def normals() -> Tensor:
    """Two z."""
    return 2 * _sines((2, DIM), 99)


def _linear(name: str, inside: int, outside: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outside, inside), f"{name}.bias": (outside,)}


def _modulated(name: str, inside: int, outside: int, side: int) -> dict[str, tuple[int, ...]]:
    style = _linear(f"{name}.affine", DIM, inside)
    return {f"{name}.weight": (outside, inside, side, side), f"{name}.bias": (outside,)} | style


def _layer(name: str, inside: int, outside: int, side: int) -> dict[str, tuple[int, ...]]:
    noise = {f"{name}.noise_const": (side, side), f"{name}.noise_strength": ()}
    return _modulated(name, inside, outside, 3) | noise


def _sines(shape: tuple[int, ...], place: int) -> Tensor:
    count = torch.arange(math.prod(shape), dtype=torch.float64)
    return (1.3 * (count * 0.7 + 1.9 * place).sin()).reshape(shape).float()
