"""Published networks that tell people apart: ArcFace's improved residual network, in three names.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019; its
backbone is Duta et al., "Improved Residual Networks", 2020. Weights are read in the names of
insightface's `arcface_torch` (iresnet18 to iresnet100), of InsightFace_Pytorch and face.evoLVe (IR
50 to 152, which LowKey's authors took), and of TFace (IR). No code of theirs. Variants with
squeeze and excitation (IR-SE) are refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from facecrafter.errors import DataError
from facecrafter.models.part import frozen
from facecrafter.training.foreign import Weights
from facecrafter.types import Embeddings, Images

ADVICE = (  # where a file is of another kind
    "Published networks come as pickles, which facecrafter does not open; docs/recognisers.md "
    "shows how to convert one."
)
COUNTERS = "num_batches_tracked"  # of a batch norm, which only a training needs

PARTS = ("norm", "first", "between", "rise", "second", "last")  # of a block, in their order
BESIDE = {f"{name}.{i}": f"beside.{i}" for name in ("downsample", "shortcut_layer") for i in (0, 1)}
INSIGHTFACE = dict(zip(("bn1", "conv1", "bn2", "prelu", "conv2", "bn3"), PARTS, strict=True))
OUTER = {  # before and behind the blocks, in all names
    "conv1": "stem.0",
    "bn1": "stem.1",
    "prelu": "stem.2",
    "bn2": "norm",
    "fc": "embed",
    "features": "last",
    "input_layer.0": "stem.0",
    "input_layer.1": "stem.1",
    "input_layer.2": "stem.2",
    "output_layer.0": "norm",
    "output_layer.3": "embed",
    "output_layer.4": "last",
}


@dataclass(frozen=True)
class Shape:
    """What a block is built with."""

    inside: int
    outside: int
    halves: bool  # the side of the map
    between: bool  # whether a batch norm stands behind the first convolution
    projects: bool  # whether what goes beside it is a convolution


class Block(nn.Module):
    """Two convolutions, and what goes beside them."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        stride = 2 if shape.halves else 1
        self.norm = nn.BatchNorm2d(shape.inside)
        self.first = nn.Conv2d(shape.inside, shape.outside, 3, 1, 1, bias=False)
        self.between = nn.BatchNorm2d(shape.outside) if shape.between else nn.Identity()
        self.rise = nn.PReLU(shape.outside)
        self.second = nn.Conv2d(shape.outside, shape.outside, 3, stride, 1, bias=False)
        self.last = nn.BatchNorm2d(shape.outside)
        self.beside: nn.Module = nn.MaxPool2d(1, stride)
        if shape.projects:
            self.beside = nn.Sequential(
                nn.Conv2d(shape.inside, shape.outside, 1, stride, bias=False),
                nn.BatchNorm2d(shape.outside),
            )

    def forward(self, maps: Tensor) -> Tensor:
        found = maps
        for part in PARTS:
            found = getattr(self, part)(found)
        return found + self.beside(maps)


class IResNet(nn.Module):
    """What it sees in a photograph, in unit length; of any side, for it is scaled to its own."""

    def __init__(self, stem: int, shapes: Sequence[Shape], side: int, width: int) -> None:
        """`side` of the photographs that it was trained on, pixels; `width` of an embedding."""
        super().__init__()
        self.side, deepest = side, shapes[-1].outside
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)
        )
        self.blocks = nn.Sequential(*(Block(shape) for shape in shapes))
        self.norm = nn.BatchNorm2d(deepest)
        left = side // 2 ** sum(shape.halves for shape in shapes)  # of the last map, pixels
        self.embed = nn.Linear(deepest * left**2, width)
        self.last = nn.BatchNorm1d(width)

    def forward(self, images: Images) -> Embeddings:
        if images.shape[-1] != self.side:
            images = interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        maps = self.norm(self.blocks(self.stem(2 * images - 1)))
        return normalize(self.last(self.embed(maps.flatten(1))).float(), dim=1)


def recogniser(weights: Weights) -> IResNet:
    """The network of these weights, fixed. Raises `DataError` for weights of another kind."""
    try:
        found = _renamed(weights)
        made = _empty(found)
        own = {name for name in made.state_dict() if not name.endswith(COUNTERS)}
        odd = sorted(own ^ found.keys())
        if odd:
            raise KeyError(f"{odd[0]} is missing or unknown")
        made.load_state_dict(found, strict=False)  # without the counters
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"these are not the weights of an ArcFace network of the kind IR ({error}): "
            "docs/recognisers.md says which are read."
        ) from error
    return frozen(made)


def _renamed(weights: Weights) -> dict[str, Tensor]:
    """Names as `IResNet` has them."""
    named = {
        name.removeprefix("module."): value  # as a training on several GPUs puts before all
        for name, value in weights.items()
        if not name.endswith(COUNTERS)
    }
    found = {name: _BLOCK.fullmatch(name) for name in named}
    within = sorted({_place(match) for match in found.values() if match})
    six = any(".res_layer.5." in name for name in named)
    parts = [part for part in PARTS if six or part != "between"]
    inner = INSIGHTFACE | BESIDE | {f"res_layer.{i}": part for i, part in enumerate(parts)}
    made = dict[str, Tensor]()
    for name, match in found.items():
        part, _, leaf = (match["rest"] if match else name).rpartition(".")
        block = f"blocks.{within.index(_place(match))}." if match else ""
        made[f"{block}{(inner if match else OUTER)[part]}.{leaf}"] = named[name]
    return made


_BLOCK = re.compile(r"(?:layer(?P<stage>\d+)|body)\.(?P<number>\d+)\.(?P<rest>.+)")


def _place(match: re.Match[str]) -> tuple[int, int]:
    return int(match["stage"] or 0), int(match["number"])


def _empty(found: Weights) -> IResNet:
    """A network into which these weights fit."""
    shapes: list[Shape] = []
    while f"blocks.{len(shapes)}.first.weight" in found:
        block = f"blocks.{len(shapes)}"
        outside, inside, *_ = found[f"{block}.first.weight"].shape
        halves = not shapes or inside != outside  # the first block of each stage
        between, beside = (
            f"{block}.{part}" in found for part in ("between.weight", "beside.0.weight")
        )
        shapes.append(Shape(inside, outside, halves, between, beside))
    width, columns = found["embed.weight"].shape
    side = isqrt(columns // shapes[-1].outside) * 2 ** sum(shape.halves for shape in shapes)
    return IResNet(len(found["stem.0.weight"]), shapes, side, width)
