"""Dec: features straight to images, the inverse of Enc that a black-box attacker learns (Eq. 2)."""

from torch import Tensor, nn

from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import up
from facecrafter.types import Features, Images


class Decoder(AbstractPart):
    """A convolutional inverse of Enc: a few residual blocks, then up-convolutions.

    It keeps the map, so it needs under a hundredth of the weights of `LinearDecoder` and, measured
    here, reads faces better.
    """

    def __init__(self, channels: int, side: int, size: int, width: int = 96) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "side": side, "size": size, "width": width}
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        layers += [_Residual(width) for _ in range(2)]
        while side < size:
            narrower = max(width // 2, 24)
            layers += [up(width, narrower), nn.BatchNorm2d(narrower), nn.ReLU()]
            width, side = narrower, side * 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 5, padding=2), nn.Sigmoid())

    def forward(self, features: Features) -> Images:
        return self.layers(features)


class LinearDecoder(AbstractPart):
    """The authors' decoder: one linear layer to 512 x 4 x 4, then up-convolutions."""

    def __init__(self, channels: int, side: int, size: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "side": side, "size": size}
        layers: list[nn.Module] = [
            nn.Flatten(),
            nn.Linear(channels * side * side, 512 * 4 * 4),  # authors' code
            nn.BatchNorm1d(512 * 4 * 4),
            nn.ReLU(),
            nn.Unflatten(1, (512, 4, 4)),
        ]
        width, reached = 512, 4
        while reached * 2 < size:
            layers += [up(width, width // 2), nn.BatchNorm2d(width // 2), nn.ReLU()]
            width, reached = width // 2, reached * 2
        self.layers = nn.Sequential(*layers, up(width, 3), nn.Sigmoid())

    def forward(self, features: Features) -> Images:
        return self.layers(features)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)
