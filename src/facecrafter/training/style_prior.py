"""A style-based prior, searched where its mapping network was undone: an attacker's (A2).

As in StyleGAN (Karras et al., CVPR 2019 and 2020) a mapping network makes a style w of z, and w
scales the maps of a generator that begins at a learnt constant. MIRROR (An et al., NDSS 2022) does
not search z: it undoes the last leaky ReLU of the mapping, p = LeakyReLU_5(w), where the styles of
faces lie nearly as a normal distribution does, and keeps each number of p within so many standard
deviations of its mean. No code of theirs.
"""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from facecrafter.errors import SettingError
from facecrafter.models.prior import Prior
from facecrafter.randomness import normal
from facecrafter.types import Images, Latents

FIRST = 4  # pixels; side of the learnt constant, as in StyleGAN
WIDTHS = (128, 128, 64, 32, 16)  # of the maps of 4, 8, 16, 32 and 64 pixels; ours
DEPTH = 4  # layers of the mapping; ours (StyleGAN: 8)
SLOPE = 0.2  # of the leaky ReLUs, as in StyleGAN; undone by a slope of 5
# Standard deviations of p; ours: MIRROR, which looks for a class and not for one photograph, stays
# nearer to the mean. A bound of 3 makes the search explain features worse (docs/decisions.md).
CLIP = 10.0
PIECE = 4096  # z mapped at once; of no influence on the result


class StylePrior(Prior):
    """Whitened p, standard normal, to faces: clipped, coloured, LeakyReLU to w, synthesis.

    Latents are (count, latent_dim), faces (count, 3, size, size), RGB, 0 to 1. The size is 4 pixels
    doubled for each width after the first. Without noise per pixel, which StyleGAN adds: a search
    must see one face for one latent vector. Raises `SettingError` for widths of no such size.
    """

    mapping: nn.Sequential  # z to p, both (count, latent_dim)

    def __init__(self, latent_dim: int = 500, widths: tuple[int, ...] = WIDTHS) -> None:
        if not (latent_dim >= 1 and len(widths) >= 2 and all(width >= 1 for width in widths)):
            raise SettingError(
                f"latent_dim={latent_dim}, widths={widths}: give 1 or more latent dimensions and "
                "two or more widths, each 1 or more."
            )
        super().__init__(latent_dim, 1, size_of(widths))
        self.arguments = {"latent_dim": latent_dim, "widths": tuple(widths)}
        self.mapping = _mapping(latent_dim)
        synthesis = _Synthesis(latent_dim, widths)
        self.layers = nn.Sequential(_Coloured(latent_dim), nn.LeakyReLU(SLOPE), synthesis)

    def mapped(self, normals: Latents) -> Images:
        """Faces of z, standard normal, by way of the mapping: what is trained. Shapes as above."""
        return self.layers[1:](self.mapping(normals))

    @torch.no_grad()
    def measure(self, rng: Generator, count: int = 20_000) -> None:  # ours (MIRROR: 5,000)
        """Keep mean and deviation of p = mapping(z), over `count` z of a standard normal.

        Faces of latents follow these from then on. Raises `SettingError` for fewer than 2 z.
        """
        if not count >= 2:
            raise SettingError(
                f"count={count} z tell no deviation: give 2 or more, best thousands."
            )
        like = next(self.mapping.parameters())
        normals = normal(count, self.latent_dim, rng=rng, like=like)
        self._coloured.keep(torch.cat([self.mapping(piece) for piece in normals.split(PIECE)]))

    @property
    def measured(self) -> int:
        """How many z were measured; with 0 its latents mean nothing yet."""
        return int(self._coloured.count)

    def forget(self) -> None:
        """Count as not measured, before more training moves p."""
        self._coloured.count.zero_()

    @torch.no_grad()
    def whitened(self, normals: Latents) -> Latents:
        """The latents of the faces that `mapped` makes of z, but for what is clipped.

        A number of p that does not vary is left at 0.
        """
        return self._coloured.whiten(self.mapping(normals))

    @property
    def _coloured(self) -> "_Coloured":
        found = self.layers[0]
        assert isinstance(found, _Coloured)
        return found


def size_of(widths: tuple[int, ...]) -> int:
    """Side of the faces that a synthesis of these widths makes, pixels."""
    return FIRST * 2 ** (len(widths) - 1)


def _mapping(latent_dim: int) -> nn.Sequential:
    """z to p: its last leaky ReLU is left to those who want w."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        linear = nn.Linear(latent_dim, latent_dim)
        nn.init.kaiming_normal_(linear.weight, SLOPE)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


class _Coloured(nn.Module):
    """Standard normal numbers to p, each by itself: mean + deviation * latent, the latent clipped.

    Buffers, so that a scene's digest and a checkpoint hold them: mean and deviation (latent_dim),
    clip (), count (). By itself, and not along the principal axes of p: it hardly varies along half
    of them, and a search that is so held back explains features worse (docs/decisions.md).
    """

    mean: Tensor
    deviation: Tensor
    clip: Tensor  # standard deviations
    count: Tensor  # of what was measured

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("deviation", torch.ones(latent_dim))
        self.register_buffer("clip", torch.tensor(CLIP))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, latents: Tensor) -> Tensor:
        return self.mean + self.deviation * latents.clamp(-self.clip, self.clip)

    def keep(self, p: Tensor) -> None:
        """Measure (count, latent_dim)."""
        deviation, mean = torch.std_mean(p.double(), dim=0)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)
        self.count.fill_(len(p))

    def whiten(self, p: Tensor) -> Tensor:
        return (p - self.mean) / torch.where(self.deviation > 0, self.deviation, torch.inf)


class _Synthesis(nn.Module):
    """w (count, latent_dim) to faces: each side adds to the picture of the one before it."""

    def __init__(self, latent_dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], FIRST, FIRST))
        self.enter = _Styled(latent_dim, widths[0], widths[0])
        self.draw = _Modulated(latent_dim, widths[0], 3, 1, demodulate=False)
        self.blocks = nn.ModuleList(_Block(latent_dim, *pair) for pair in pairwise(widths))

    def forward(self, styles: Tensor) -> Images:
        constant = self.constant.expand(len(styles), -1, -1, -1)
        maps = self.enter(constant.contiguous(memory_format=torch.channels_last), styles)
        picture = self.draw(maps, styles)
        for block in self.blocks:
            maps, picture = block(maps, picture, styles)
        return picture.sigmoid()


class _Block(nn.Module):
    """Maps and picture of one side to those of the double side."""

    def __init__(self, latent_dim: int, inside: int, outside: int) -> None:
        super().__init__()
        self.narrow = _Styled(latent_dim, inside, outside)  # before doubling: a quarter of the work
        self.refine = _Styled(latent_dim, outside, outside)
        self.draw = _Modulated(latent_dim, outside, 3, 1, demodulate=False)

    def forward(self, maps: Tensor, picture: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.refine(_doubled(self.narrow(maps, styles)), styles)
        return maps, _doubled(picture) + self.draw(maps, styles)


class _Styled(nn.Module):
    """A modulated 3 x 3 convolution and a leaky ReLU that keeps the variance."""

    def __init__(self, latent_dim: int, inside: int, outside: int) -> None:
        super().__init__()
        self.layer = _Modulated(latent_dim, inside, outside, 3)

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        return leaky_relu(self.layer(maps, styles), SLOPE) * 2**0.5


class _Modulated(nn.Module):
    """A convolution whose kernel is scaled for each image: by s, linear in w, for each map inside.

    W'[o, i, y, x] = s[i] W[o, i, y, x], demodulated: divided by the root of sum_(i, y, x) W'^2,
    so that maps keep their variance. Computed as one convolution for all images: s scales the maps
    before it, and the root divides them after it.
    """

    def __init__(
        self, latent_dim: int, inside: int, outside: int, side: int, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.style = nn.Linear(latent_dim, inside)
        nn.init.normal_(self.style.weight, std=latent_dim**-0.5)
        nn.init.ones_(self.style.bias)
        deviation = inside**-0.5 / side
        self.weight = nn.Parameter(deviation * torch.randn(outside, inside, side, side))
        self.bias = nn.Parameter(torch.zeros(outside, 1, 1))
        self.demodulate = demodulate

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        scale = self.style(styles)
        made = conv2d(
            maps * scale[:, :, None, None], self.weight, padding=self.weight.shape[2] // 2
        )
        if self.demodulate:
            squares = scale.square() @ self.weight.square().sum(dim=(2, 3)).T
            made = made * (squares + 1e-8).rsqrt()[:, :, None, None]
        return made + self.bias


def _doubled(maps: Tensor) -> Tensor:
    return interpolate(maps, scale_factor=2, mode="bilinear")
