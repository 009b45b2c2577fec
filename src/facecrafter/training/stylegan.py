"""StyleGAN2 generators that others trained and published: an attacker's prior (A2), as in MIRROR.

Written from the paper (Karras et al., CVPR 2020) and compared with NVIDIA's stylegan2-ada-pytorch
on random weights; no code of theirs. Factors that can be moved into the weights are moved there by
`training.adoption`, which reads theirs: the equalised learning rates, and the root of 2 after each
leaky ReLU of the mapping.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, leaky_relu

from facecrafter.errors import SettingError
from facecrafter.training.style_prior import FIRST, SLOPE, StylePrior, size_of
from facecrafter.types import Images

Box = tuple[int, int, int]  # top, left, side: the part of a picture that is a face, pixels

GAIN = 2**0.5  # after a leaky ReLU, so that the variance stays; the paper
TAPS = (1.0, 3.0, 3.0, 1.0)  # of the filter that doubles a side; the paper


class StyleGan(StylePrior):
    """Whitened p to faces, as `StylePrior`, through a StyleGAN2 generator of any side.

    Its pictures have 4 pixels doubled for each width after the first. The square `box` of them
    becomes a face of (3, size, size), each pixel a mean, RGB, cut off at 0 and 1. Noise per pixel
    is the generator's own, always the same. Raises `SettingError` for a box outside the picture.
    """

    def __init__(
        self, latent_dim: int, widths: tuple[int, ...], depth: int, size: int, box: Box
    ) -> None:
        super().__init__(latent_dim, widths=(1, 1))  # for what is inherited; its synthesis goes
        if not (depth >= 1 and 1 <= size <= size_of(widths)):
            raise SettingError(
                f"depth={depth}, size={size} of a StyleGAN of {size_of(widths)} pixels: its "
                "mapping has 1 layer or more, and its faces are no larger than its pictures."
            )
        self.size = size
        self.arguments = {
            "latent_dim": latent_dim,
            "widths": tuple(widths),
            "depth": depth,
            "size": size,
        }
        self.mapping = _mapping(latent_dim, depth)
        synthesis = _Synthesis(latent_dim, widths, size)
        self.layers = nn.Sequential(self.layers[0], nn.LeakyReLU(SLOPE), synthesis)
        self.frame(box)

    def frame(self, box: Box) -> None:
        """Make this square of a picture a face. Raises `SettingError`."""
        top, left, side = box
        whole, size = self._synthesis.whole, self._synthesis.size
        if not (min(top, left) >= 0 and max(top, left) + side <= whole and side >= size):
            raise SettingError(
                f"box={tuple(box)}: give top, left and side of a square within {whole} x {whole} "
                f"pixels, its side no less than the faces' {size}."
            )
        self._synthesis.box = top, left, side
        self.arguments["box"] = top, left, side

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> Images:
        """Whole pictures of whitened p, (count, 3, side, side), RGB, about 0 to 1."""
        return self._synthesis.picture(self.layers[:2](latents))

    @property
    def _synthesis(self) -> "_Synthesis":
        found = self.layers[2]
        assert isinstance(found, _Synthesis)
        return found


def _mapping(latent_dim: int, depth: int) -> nn.Sequential:
    """z to p; z counts by its direction alone."""
    layers: list[nn.Module] = [_Direction()]
    for _ in range(depth):
        layers += [nn.Linear(latent_dim, latent_dim), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


class _Direction(nn.Module):
    """A vector scaled so that the mean of its squares is 1."""

    def forward(self, normals: Tensor) -> Tensor:
        return normals * (normals.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class _Synthesis(nn.Module):
    """w, without the root of 2, to faces: each side adds to the picture of the one before it."""

    def __init__(self, latent_dim: int, widths: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.size, self.whole = size, size_of(widths)
        self.box: Box = (0, 0, self.whole)
        self.constant = nn.Parameter(torch.randn(1, widths[0], FIRST, FIRST))
        pairs = pairwise((0, *widths))
        self.blocks = nn.ModuleList(
            _Block(latent_dim, *pair, FIRST * 2**number) for number, pair in enumerate(pairs)
        )

    def forward(self, styles: Tensor) -> Images:
        top, left, side = self.box
        cut = self.picture(styles)[..., top : top + side, left : left + side]
        return interpolate(cut, size=self.size, mode="area").clamp(0, 1)

    def picture(self, styles: Tensor) -> Images:
        maps, picture = self.constant.expand(len(styles), -1, -1, -1), None
        for block in self.blocks:
            maps, picture = block(maps, picture, styles)
        assert picture is not None
        return (picture + 1) / 2


class _Block(nn.Module):
    """Maps and picture of one side to those of the double side; the first leaves the side."""

    def __init__(self, latent_dim: int, inside: int, outside: int, side: int) -> None:
        super().__init__()
        self.widen = _Layer(latent_dim, inside, outside, side, doubles=True) if inside else None
        self.refine = _Layer(latent_dim, outside, outside, side)
        self.draw = _Drawn(latent_dim, outside)

    def forward(
        self, maps: Tensor, picture: Tensor | None, styles: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.widen is not None:
            maps = self.widen(maps, styles)
        maps = self.refine(maps, styles)
        drawn = self.draw(maps, styles)
        return maps, drawn if picture is None else _doubled(picture) + drawn


class _Layer(nn.Module):
    """A 3 x 3 convolution, modulated and demodulated; noise; a leaky ReLU that keeps the variance.

    Computed as one convolution for all images, as `StylePrior`'s.
    """

    noise: Tensor  # (side, side)

    def __init__(
        self, latent_dim: int, inside: int, outside: int, side: int, doubles: bool = False
    ) -> None:
        super().__init__()
        self.style = nn.Linear(latent_dim, inside)
        self.weight = nn.Parameter(torch.randn(outside, inside, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outside, 1, 1))
        self.register_buffer("noise", torch.zeros(side, side))
        self.doubles = doubles

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        scale = self.style(styles)
        maps = maps * scale[:, :, None, None]
        if self.doubles:
            spread = conv_transpose2d(maps, self.weight.transpose(0, 1), stride=2)
            made = _blurred(spread, padding=1)
        else:
            made = conv2d(maps, self.weight, padding=1)
        squares = scale.square() @ self.weight.square().sum(dim=(2, 3)).T
        made = made * (squares + 1e-8).rsqrt()[:, :, None, None]
        return leaky_relu(made + self.noise + self.bias, SLOPE) * GAIN


class _Drawn(nn.Module):
    """A modulated 1 x 1 convolution: what one side adds to the picture."""

    def __init__(self, latent_dim: int, inside: int) -> None:
        super().__init__()
        self.style = nn.Linear(latent_dim, inside)
        self.weight = nn.Parameter(torch.randn(3, inside, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        return conv2d(maps * self.style(styles)[:, :, None, None], self.weight) + self.bias


def _doubled(picture: Tensor) -> Tensor:
    """Each pixel followed by zeros, then blurred; the mean stays."""
    kernel = 4 * blur(picture).expand(picture.shape[1], 1, -1, -1)
    return conv_transpose2d(picture, kernel, stride=2, padding=1, groups=picture.shape[1])


def _blurred(maps: Tensor, padding: int) -> Tensor:
    """Maps whose values were spread over four times as many pixels."""
    kernel = 4 * blur(maps).expand(maps.shape[1], 1, -1, -1)
    return conv2d(maps, kernel, padding=padding, groups=maps.shape[1])


def blur(like: Tensor) -> Tensor:
    """The filter that doubles a side, (4, 4); its sum is 1."""
    taps = like.new_tensor(TAPS)
    return torch.outer(taps, taps) / taps.sum() ** 2
