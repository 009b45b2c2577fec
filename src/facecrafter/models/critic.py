"""D, the critic of the Wasserstein distance between two sets of faces (Table XI)."""

from torch import nn

from facecrafter.errors import SettingError
from facecrafter.models.part import AbstractPart
from facecrafter.types import Images, Scores

SMALLEST = 49  # pixels: four halvings, rounded up, then a 4 x 4 convolution


class Critic(AbstractPart):
    """Images to one unbounded score each; no sigmoid. At 64 pixels the map shrinks 64 -> 1."""

    def __init__(self, width: int = 64) -> None:  # paper, Table XI
        super().__init__()
        self.arguments = {"width": width}
        layers: list[nn.Module] = [_down(3, width), nn.LeakyReLU(0.2)]
        for i in range(3):
            outside = width * 2 ** (i + 1)
            layers += [
                _down(outside // 2, outside),
                nn.InstanceNorm2d(outside, affine=True),  # authors' code
                nn.LeakyReLU(0.2),  # authors' code
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4))

    def forward(self, images: Images) -> Scores:
        if min(images.shape[2:]) < SMALLEST:
            raise SettingError(
                f"images of {images.shape[2]} x {images.shape[3]} pixels are too small for the "
                f"critic of Table XI: it needs {SMALLEST} or more. Use AssignedDistance instead."
            )
        return self.layers(images).mean(dim=(1, 2, 3))


def _down(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 5, 2, padding=2)
