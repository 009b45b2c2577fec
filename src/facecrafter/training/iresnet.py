"""Published networks that tell people apart: ArcFace's residual network, in the names of others.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019, whose
blocks begin with a batch norm (IR). Weights are read in the names of insightface's `arcface_torch`
(iresnet18 to iresnet200), of face.evoLVe and InsightFace_Pytorch (IR 50 to 152), and of TFace (IR
18 to 101). None of their code is used. Variants with squeeze and excitation (IR-SE) and with
bottlenecks are refused.
"""

import re
from collections import Counter
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

    def __init__(
        self, stem: int, shapes: Sequence[Shape], side: int, width: int, scaled: bool
    ) -> None:
        """`side` of the photographs that it was trained on, pixels; `width` of an embedding.

        `scaled`: whether the last batch norm has a scale and a shift of its own.
        """
        super().__init__()
        self.side, deepest = side, shapes[-1].outside
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)
        )
        self.blocks = nn.Sequential(*(Block(shape) for shape in shapes))
        self.norm = nn.BatchNorm2d(deepest)
        left = side // 2 ** sum(shape.halves for shape in shapes)  # of the last map, pixels
        self.embed = nn.Linear(deepest * left**2, width)
        self.last = nn.BatchNorm1d(width, affine=scaled)

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
        _refuse_odd(found, made)
        made.load_state_dict(found, strict=False)  # without the counters
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise _foreign(str(error)) from error
    return frozen(made)


def _foreign(why: str) -> DataError:
    return DataError(
        f"these are not the weights of an ArcFace network of the kind IR ({why}): "
        "docs/recognisers.md says which are read."
    )


def _refuse_odd(found: Weights, made: IResNet) -> None:
    own = {name for name in made.state_dict() if not name.endswith(COUNTERS)}
    missing, unknown = sorted(own - found.keys()), sorted(found.keys() - own)
    if missing:
        raise ValueError(f"{len(missing)} are missing: {missing[0]}, as it is called here")
    if unknown:
        raise ValueError(f"{len(unknown)} are too many: {unknown[0]}, as it is called here")
    for name, value in found.items():
        if name.endswith("running_var") and not (value >= 0).all():
            raise ValueError(f"{name}, as it is called here, is a variance below 0")


def _renamed(weights: Weights) -> dict[str, Tensor]:
    """Names as `IResNet` has them."""
    named = {
        name.removeprefix("module."): value  # as a training on several GPUs puts before all
        for name, value in weights.items()
        if not name.endswith(COUNTERS)
    }
    found = {name: _BLOCK.fullmatch(name) for name in named}
    within = sorted({_place(match) for match in found.values() if match})
    _refuse_gaps(within)
    six = any(".res_layer.5." in name for name in named)
    parts = [part for part in PARTS if six or part != "between"]
    inner = INSIGHTFACE | BESIDE | {f"res_layer.{i}": part for i, part in enumerate(parts)}
    made = dict[str, Tensor]()
    for name, match in found.items():
        part, _, leaf = (match["rest"] if match else name).rpartition(".")
        known = inner if match else OUTER
        if part not in known or not named[name].numel():
            raise ValueError(f"{name} is {'empty' if part in known else 'unknown'}")
        block = f"blocks.{within.index(_place(match))}." if match else ""
        made[f"{block}{known[part]}.{leaf}"] = named[name]
    return made


def _refuse_gaps(within: Sequence[tuple[int, int]]) -> None:
    """Without it, weights that lack a block are those of a shallower network."""
    counts = Counter(stage for stage, _ in within)
    whole = [(stage, number) for stage in sorted(counts) for number in range(counts[stage])]
    stages = sorted(counts)
    if not within or [*within] != whole or stages != [*range(stages[0], stages[-1] + 1)]:
        raise ValueError(f"{len(within)} blocks were found, not all of them in a row")


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
    scaled = "last.weight" in found
    return IResNet(len(found["stem.0.weight"]), shapes, side, width, scaled)
