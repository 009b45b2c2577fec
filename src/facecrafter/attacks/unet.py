"""The deeper networks of an attacker who learns: a U-Net over the map of a feature.

A released feature is no longer a local picture of the face, so what it says of the eyes may lie
where the mouth is: these networks see the whole map at once, where `models.decoder` sees a part.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from facecrafter.types import Features, Images


class UNet(nn.Module):
    """Maps of `inside` channels to maps of `width`, of the same side: a multiple of 4, pixels."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inside, width, 3, padding=1)
        self.before, self.after = _Residual(width), _Residual(width)
        self.down, self.middle_up = _halve(width, 2 * width), _double(2 * width, width)
        self.middle, self.middle_after = _Residual(2 * width), _Residual(2 * width)
        self.lower, self.lowest_up = _halve(2 * width, 2 * width), _double(2 * width, 2 * width)
        self.lowest = nn.Sequential(_Residual(2 * width), _Residual(2 * width))

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.contiguous(memory_format=torch.channels_last)  # ours: a third faster on a CPU
        high = self.before(self.enter(maps))
        middle = self.middle(self.down(high))
        low = self.lowest(self.lower(middle))
        middle = self.middle_after(middle + self.lowest_up(low))
        return self.after(high + self.middle_up(middle))


class DeepDecoder(nn.Module):
    """Features of `channels` maps of a side to images of `size`: the side times a power of two."""

    def __init__(self, channels: int, side: int, size: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [UNet(channels, width)]
        while side < size:
            layers += [_double(width, width // 2), _Residual(width // 2)]
            width, side = width // 2, 2 * side
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, features: Features) -> Images:
        return self.layers(features)


class Purifier(nn.Module):
    """Released features to the features that they were: F* plus what a U-Net makes of it."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(UNet(channels, width), nn.Conv2d(width, channels, 1))

    def forward(self, features: Features) -> Features:
        return features + self.layers(features)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        one, other = (
            nn.Sequential(
                nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)
            )
            for _ in range(2)
        )
        self.layers = nn.Sequential(one, other)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


def _halve(inside: int, outside: int) -> nn.Module:
    return nn.Conv2d(inside, outside, 3, 2, padding=1)


class _Double(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(inside, outside, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        return self.layer(interpolate(maps, scale_factor=2))


def _double(inside: int, outside: int) -> nn.Module:
    return _Double(inside, outside)
