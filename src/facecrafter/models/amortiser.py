"""Amor: features straight to a latent vector that explains them (Table XIII, Eq. 37)."""

from torch import Tensor, nn

from facecrafter.errors import SettingError
from facecrafter.models.part import AbstractPart
from facecrafter.types import Features, Latents

SMALLEST = 16  # cells: three halvings, then a 2 x 2 convolution


class Amortiser(AbstractPart):
    """A guess at the best response z* in one pass; the inversion starts from it.

    Larger feature maps than 16 x 16 are averaged at the end, so any cut fits.
    """

    def __init__(
        self,
        channels: int,  # of the features
        latent_dim: int,
        width: int = 128,  # of the first convolution; paper, Table XIII
    ) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "latent_dim": latent_dim, "width": width}
        self.layers = nn.Sequential(
            *_convolution(channels, width, 4, 2, 1),
            *_convolution(width, width * 4, 4, 2, 1),
            *_convolution(width * 4, width * 8, 4, 2, 1),
            *_convolution(width * 8, width * 4, 2, 1, 0),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width * 4, latent_dim, 1),
        )

    def forward(self, features: Features) -> Latents:
        if min(features.shape[2:]) < SMALLEST:
            raise SettingError(
                f"a feature map of {features.shape[2]} x {features.shape[3]} is too small for the "
                f"amortiser of Table XIII: it needs {SMALLEST} x {SMALLEST} or more."
            )
        return self.layers(features).flatten(1)


def _convolution(
    inside: int, outside: int, side: int, stride: int, padding: int
) -> list[nn.Module]:
    convolution = nn.Conv2d(inside, outside, side, stride, padding, bias=False)
    return [convolution, nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)]


def encoder_of_images(latent_dim: int, width: int = 32) -> nn.Sequential:
    """Images to mean and log-variance of a latent vector: the encoder of the prior's warm start."""
    layers: list[nn.Module] = []
    inside = 3
    for outside in (width, width * 2, width * 4, width * 8):
        layers += _convolution(inside, outside, 4, 2, 1)
        inside = outside
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(2 * latent_dim))


def split_gaussian(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance, the latter kept within what float32 can hold."""
    mean, log_variance = parameters.chunk(2, dim=1)
    return mean, log_variance.clamp(-10, 4)
