"""Networks out of the checkpoints that `training.loop` wrote: their shapes say how to make them."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from facecrafter.errors import DataError
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.models.judge import Judge
from facecrafter.models.part import AbstractPart, frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16
from facecrafter.models.surrogate import Surrogate
from facecrafter.training import checkpoints
from facecrafter.training.style_prior import StylePrior

Weights = Mapping[str, Tensor]
_DEPTHS: dict[tuple[bool | int, ...], int] = {
    (False, 2, 2, 2, 2): 18,
    (True, 3, 4, 6, 3): 50,
    (True, 3, 8, 36, 3): 152,
}


def restore(folder: Path, part: str, size: int = 64) -> AbstractPart:
    """The network `part` (target, prior ...) of a training folder, fixed and on the CPU.

    The folder of a prior may hold `adversarial` or `warm`; the former is later. A prior is a
    `StylePrior` where `training.style` left it. `size`: of the images, pixels; only a decoder needs
    it. Raises `DataError`.
    """
    folder = _innermost(folder)
    found = checkpoints.read(folder) if folder.is_dir() else None
    if found is None:
        raise DataError(
            f"{folder.name} holds no whole checkpoint: name the --out of a `facecrafter train`."
        )
    name = "model" if part in ("target", "judge") else part
    prefix = f"module/{name}/"
    weights = {k.removeprefix(prefix): v for k, v in found[0].items() if k.startswith(prefix)}
    try:
        network = _MAKERS[part](weights, size)
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise DataError(f"the checkpoint in {folder.name} is not that of a {part}.") from error
    return frozen(network)


def recipe(folder: Path) -> str:
    """What the checkpoint says it was trained with, and its steps; "" where there is none."""
    found = checkpoints.read(_innermost(folder))
    return "" if found is None else f"{found[1]['recipe']}, {found[1]['step']} steps"


def seconds(folder: Path) -> float | None:
    """How long the training took, a prior's warm start included; None where it was not recorded."""
    insides = [folder / name for name in ("warm", "adversarial") if (folder / name).is_dir()]
    found = [checkpoints.read(inside) for inside in insides or [folder]]
    told = [None if one is None else one[1].get("seconds") for one in found]
    return sum(float(one) for one in told if one) if all(told) else None


def _innermost(folder: Path) -> Path:
    for inside in ("adversarial", "warm"):
        if (folder / inside / checkpoints.NEWEST).exists():
            return folder / inside
    return folder


def _target(weights: Weights, size: int) -> AbstractSplitModel:
    if "classifier.6.bias" in weights:
        hidden, inside = weights["classifier.0.weight"].shape
        return Vgg16(len(weights["classifier.6.bias"]), hidden, math.isqrt(inside // 512))
    return ResNet(len(weights["fc.bias"]), _depth(weights), _widths(weights))


def _depth(weights: Weights) -> int:
    """Of a ResNet, by its blocks in each stage."""
    counts = [
        len({m[1] for key in weights if (m := re.match(rf"layer{stage}\.(\d+)\.", key))})
        for stage in range(1, 5)
    ]
    return _DEPTHS["layer1.0.conv3.weight" in weights, *counts]


def _widths(weights: Weights) -> tuple[int, ...]:
    return tuple(len(weights[f"layer{stage}.0.conv1.weight"]) for stage in range(1, 5))


def _judge(weights: Weights, size: int) -> Judge:
    body = {k.removeprefix("body."): v for k, v in weights.items()}
    return Judge(len(body["fc.bias"]), _depth(body), _widths(body))


def _prior(weights: Weights, size: int) -> Prior:
    if "layers.2.constant" in weights:
        return _style_prior(weights)
    ups = [value for value in weights.values() if value.ndim == 4]
    first, latent_dim = weights["layers.0.weight"].shape
    widest, depth = max(len(value) for value in ups), len(ups)
    narrowest = min(len(value) for value in ups)
    side = math.isqrt(first // widest)
    return Prior(latent_dim, narrowest, side * 2**depth, depth)


def _style_prior(weights: Weights) -> StylePrior:
    if not weights["layers.0.count"]:
        raise DataError(
            "this style-based prior was never measured, which is its training's last step: give "
            "the same `facecrafter train style` again, and it goes on to its end."
        )
    blocks = sum(key.endswith(".refine.layer.weight") for key in weights)
    names = ("enter", *(f"blocks.{number}.refine" for number in range(blocks)))
    widths = tuple(len(weights[f"layers.2.{name}.layer.weight"]) for name in names)
    return StylePrior(len(weights["layers.0.mean"]), widths)


def _amortiser(weights: Weights, size: int) -> Amortiser:
    width, channels, *_ = weights["layers.0.weight"].shape
    last = max((k for k in weights if k.endswith("bias")), key=_place)
    return Amortiser(channels, len(weights[last]), width)


def _decoder(weights: Weights, size: int) -> Decoder | LinearDecoder:
    if "layers.0.weight" not in weights:
        return _linear_decoder(weights)
    width, channels, *_ = weights["layers.0.weight"].shape
    ups = sum(value.ndim == 4 and value.shape[-1] == 5 for value in weights.values()) - 1
    return Decoder(channels, size // 2**ups, size, width)


def _linear_decoder(weights: Weights) -> LinearDecoder:
    """Its weights tell channels x side^2 as one number; both cuts of Table X leave size / 4."""
    side = 2 ** sum(value.ndim == 4 for value in weights.values())
    return LinearDecoder(weights["layers.1.weight"].shape[1] // side**2, side, 4 * side)


def _critic(weights: Weights, size: int) -> Critic:
    return Critic(len(weights["layers.0.weight"]))


def _surrogate(weights: Weights, size: int) -> Surrogate:
    first = [value for key, value in weights.items() if key.endswith("conv1.weight")]
    tasks = len(weights["fc.bias"])
    return Surrogate(first[0].shape[1], tasks, tuple(len(value) for value in first))


def _place(key: str) -> int:
    return int(key.split(".")[1])


_MAKERS = {
    "target": _target,
    "judge": _judge,
    "prior": _prior,
    "amortiser": _amortiser,
    "decoder": _decoder,
    "critic": _critic,
    "surrogate": _surrogate,
}
