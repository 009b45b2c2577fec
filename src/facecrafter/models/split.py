"""Target networks, cut in two: `encode` on the device, `head` in the cloud (Table X).

Parameters carry torchvision's names, so weights published for torchvision or timm load.
"""

import abc
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facecrafter.errors import SettingError
from facecrafter.models.part import AbstractPart
from facecrafter.types import Embeddings, Features, Images, Logits


class AbstractSplitModel(AbstractPart, abc.ABC):
    """A network whose first layers run on the device and whose rest runs in the cloud."""

    @abc.abstractmethod
    def encode(self, images: Images) -> Features:
        """Enc: RGB images, 0 to 1, to the features that the device sends."""

    @abc.abstractmethod
    def embed(self, features: Features) -> Embeddings:
        """All but the last layer of the cloud's part."""

    @abc.abstractmethod
    def head(self, features: Features) -> Logits:
        """f: features to the cloud's answers."""

    def forward(self, images: Images) -> Logits:
        return self.head(self.encode(images))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inside, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions and a shortcut; the stride lies on the 3 x 3."""

    expansion = 4

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample = _shortcut(inside, width * 4, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inside: int, outside: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inside == outside:
        return None
    return nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))


_RESNETS: dict[int, tuple[type[BasicBlock] | type[_Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (_Bottleneck, (3, 4, 6, 3)),
    152: (_Bottleneck, (3, 8, 36, 3)),
}


class ResNet(AbstractSplitModel):
    """ResNet-18, -50 or -152, cut after the first stage (Table X).

    At 64 x 64 pixels the features of ResNet-18 are 64 x 16 x 16, at 128 x 128 64 x 32 x 32.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        classes: int,
        depth: int = 18,  # paper, Table X
        widths: Sequence[int] = (64, 128, 256, 512),  # of the four stages; paper, Table X
    ) -> None:
        super().__init__()
        if depth not in _RESNETS:
            raise SettingError(f"depth={depth}: choose one of {sorted(_RESNETS)}.")
        self.arguments = {"classes": classes, "depth": depth, "widths": tuple(widths)}
        block, blocks = _RESNETS[depth]
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inside = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
            layers = [block(inside, width, 1 if stage == 1 else 2)]
            inside = width * block.expansion
            layers += [block(inside, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(inside, classes)

    def encode(self, images: Images) -> Features:
        stem = torch.relu(self.bn1(self.conv1(2 * images - 1)))
        return self.layer1(self.maxpool(stem))

    def embed(self, features: Features) -> Embeddings:
        return self.layer4(self.layer3(self.layer2(features))).mean(dim=(2, 3))

    def head(self, features: Features) -> Logits:
        return self.fc(self.embed(features))


_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_VGG16_CUT = 10  # layers up to the second pooling (Table X)


class Vgg16(AbstractSplitModel):
    """VGG-16, cut after the second pooling (Table X): features are 128 x 16 x 16 at 64 pixels."""

    def __init__(
        self,
        classes: int,
        hidden: int = 4096,  # torchvision's; Table X prints no width for its three linear layers
        pool: int = 7,  # torchvision's side of the average pooling
    ) -> None:
        super().__init__()
        self.arguments = {"classes": classes, "hidden": hidden, "pool": pool}
        layers: list[nn.Module] = []
        inside = 3
        for stage in _VGG16:
            for width in stage:
                layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
                inside = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pool)
        self.classifier = nn.Sequential(
            nn.Linear(inside * pool * pool, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, classes),
        )

    def encode(self, images: Images) -> Features:
        return self.features[:_VGG16_CUT](2 * images - 1)

    def embed(self, features: Features) -> Embeddings:
        pooled = self.avgpool(self.features[_VGG16_CUT:](features)).flatten(1)
        return self.classifier[:-1](pooled)

    def head(self, features: Features) -> Logits:
        return self.classifier[-1](self.embed(features))
