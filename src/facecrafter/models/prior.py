"""The public prior: latent vectors to average faces (Table XII, Eq. 12)."""

from itertools import pairwise

from torch import nn

from facecrafter.errors import SettingError
from facecrafter.models.part import AbstractPart
from facecrafter.types import Images, Latents


class Prior(AbstractPart):
    """G1 (three up-convolutions) or G2 (four) of Table XII: z, standard normal, to a face.

    Each up-convolution doubles the side, so the first map has a side of size / 8 or size / 16;
    at 64 x 64 pixels these are the 8 x 8 and 4 x 4 of the table.
    """

    size: int | None = None  # height and width of its faces, pixels

    def __init__(
        self,
        latent_dim: int = 500,  # paper, App. G (CelebA)
        width: int = 64,  # paper, Table XII
        size: int = 64,  # pixels; paper, VI-A (CelebA)
        depth: int = 3,  # up-convolutions: 3 = G1, 4 = G2; paper, Table XII
    ) -> None:
        super().__init__()
        if depth not in (3, 4) or size % 2**depth:
            raise SettingError(
                f"depth={depth}, size={size}: G1 has depth 3, G2 depth 4, and the size is a "
                "multiple of 2 to that power."
            )
        self.arguments = {
            "latent_dim": latent_dim,
            "width": width,
            "size": size,
            "depth": depth,
        }
        self.latent_dim, self.size = latent_dim, size
        side = size // 2**depth
        channels = [width * 2 ** (depth - 1 - i) for i in range(depth)]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, channels[0] * side * side),
            nn.BatchNorm1d(channels[0] * side * side),
            nn.ReLU(),
            nn.Unflatten(1, (channels[0], side, side)),
        ]
        for inside, outside in pairwise(channels):
            layers += [up(inside, outside), nn.BatchNorm2d(outside), nn.ReLU()]
        self.layers = nn.Sequential(*layers, up(channels[-1], 3), nn.Sigmoid())

    def forward(self, latents: Latents) -> Images:
        return self.layers(latents)


def up(inside: int, outside: int) -> nn.ConvTranspose2d:
    """An up-convolution that doubles the side: 5 x 5, stride 2 (the authors' code)."""
    return nn.ConvTranspose2d(inside, outside, 5, 2, padding=2, output_padding=1)
