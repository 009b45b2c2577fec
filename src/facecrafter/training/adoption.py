"""Weights of StyleGAN2 generators that others published, brought into `StyleGan`, and kept.

They come as safetensors in the names of NVIDIA's stylegan2-ada-pytorch (its `G_ema`); the pickle
that they are published as is never opened (docs/stylegan.md).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, allclose

from facecrafter.errors import DataError, SettingError
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.training import checkpoints
from facecrafter.training.foreign import Weights
from facecrafter.training.restore import restore
from facecrafter.training.style_prior import FIRST
from facecrafter.training.stylegan import GAIN, TAPS, Box, StyleGan, blur

RATE = 0.01  # of the mapping against that of the rest, by which its weights are scaled; the paper
ADVICE = (  # where a file is of another kind
    "Published StyleGANs are pickles, which facecrafter does not open; docs/stylegan.md shows how "
    "to convert one."
)
_ARGUMENTS = "stylegan"  # what the checkpoint of one says that no other does


def adopted(
    weights: Weights, size: int, box: Box | None = None, largest: int | None = None
) -> StyleGan:
    """A generator in NVIDIA's names, in evaluation mode, not measured yet.

    `size` of its faces, pixels; `box` of a picture that becomes one, None: all of it. `largest`:
    side beyond which no maps are computed, None: the generator's own; what is left out are details.
    Raises `DataError` for weights of another kind, `SettingError` for what does not fit them.
    """
    _refuse_other_kinds(weights)
    try:
        sides = list(_sides(weights, largest))
        widths = tuple(len(weights[f"synthesis.b{side}.conv1.weight"]) for side in sides)
        depth = sum(name.endswith(".weight") for name in weights if name.startswith("mapping.fc"))
        latent_dim = len(weights["mapping.fc0.weight"])
        made = StyleGan(latent_dim, widths, depth, size, box or (0, 0, sides[-1]))
        made.load_state_dict(dict(_renamed(weights, depth, sides)), strict=False)
    except (KeyError, IndexError, TypeError, RuntimeError) as error:
        raise DataError(
            f"these are not the weights of a StyleGAN2 generator in NVIDIA's names ({error}): "
            "docs/stylegan.md shows how to write them."
        ) from error
    return frozen(made)


def _refuse_other_kinds(weights: Weights) -> None:
    """Raises `DataError` for what would be computed in another way than here."""
    if any(name.startswith("mapping.embed.") for name in weights):
        raise DataError("this StyleGAN makes pictures of classes; one for faces alone has none.")
    if any(".skip." in name for name in weights):
        raise DataError(
            "this StyleGAN adds maps, not pictures ('resnet'); only the usual kind ('skip') is "
            "read."
        )
    for name, value in weights.items():
        if name.endswith("resample_filter") and not allclose(value, blur(value), atol=1e-6):
            raise DataError(f"{name} is another filter than {TAPS}, the usual one.")


def _sides(weights: Weights, largest: int | None) -> Iterator[int]:
    found = (re.match(r"synthesis\.b(\d+)\.", name) for name in weights)
    held = {int(match[1]) for match in found if match}
    side = FIRST
    while side in held and (largest is None or side <= largest):
        yield side
        side *= 2
    if largest is not None and largest not in held:
        raise SettingError(
            f"largest={largest}: this StyleGAN has maps of {sorted(held)} pixels; name one of them."
        )


def _renamed(weights: Weights, depth: int, sides: list[int]) -> Iterator[tuple[str, Tensor]]:
    """Names and values as `StyleGan` has them."""
    for number in range(depth):
        weight = weights[f"mapping.fc{number}.weight"] * RATE
        gain = GAIN if number else 1.0  # of the leaky ReLU before
        yield f"mapping.{2 * number + 1}.weight", weight * gain * weight.shape[1] ** -0.5
        yield f"mapping.{2 * number + 1}.bias", weights[f"mapping.fc{number}.bias"] * RATE
    yield "layers.2.constant", weights[f"synthesis.b{FIRST}.const"][None]
    for number, side in enumerate(sides):
        theirs, ours = f"synthesis.b{side}", f"layers.2.blocks.{number}"
        if number:
            yield from _layer(weights, f"{theirs}.conv0", f"{ours}.widen")
        yield from _layer(weights, f"{theirs}.conv1", f"{ours}.refine")
        yield from _modulated(weights, f"{theirs}.torgb", f"{ours}.draw", drawn=True)


def _layer(weights: Weights, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield from _modulated(weights, theirs, ours)
    if f"{theirs}.noise_const" in weights:
        noise = weights[f"{theirs}.noise_const"] * weights[f"{theirs}.noise_strength"]
        yield f"{ours}.noise", noise


def _modulated(
    weights: Weights, theirs: str, ours: str, drawn: bool = False
) -> Iterator[tuple[str, Tensor]]:
    weight, style = weights[f"{theirs}.weight"], weights[f"{theirs}.affine.weight"]
    gain = weight.shape[1] ** -0.5 if drawn else 1.0  # what is demodulated needs none
    yield f"{ours}.style.weight", style * style.shape[1] ** -0.5 * GAIN * gain
    yield f"{ours}.style.bias", weights[f"{theirs}.affine.bias"] * gain
    yield f"{ours}.weight", weight
    yield f"{ours}.bias", weights[f"{theirs}.bias"][:, None, None]


def keep(folder: Path, prior: StyleGan, recipe: str) -> None:
    """Write it as a training leaves its network, for `generator`. `OSError` for a full disk."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"module/prior/{name}": value for name, value in prior.state_dict().items()}
    said = {"recipe": recipe, "step": "0", _ARGUMENTS: json.dumps(prior.arguments)}
    checkpoints.write(folder, tensors, said)


def generator(folder: Path) -> Prior:
    """G out of a training's folder or of one that `keep` wrote, fixed. Raises `DataError`."""
    found = checkpoints.read(folder) if folder.is_dir() else None
    if found is None or _ARGUMENTS not in found[1]:
        restored = restore(folder, "prior")
        assert isinstance(restored, Prior)
        return restored
    tensors, said = found
    try:
        arguments = json.loads(said[_ARGUMENTS])
        widths, box = (tuple(arguments.pop(name)) for name in ("widths", "box"))
        made = StyleGan(**arguments, widths=widths, box=box)
        made.load_state_dict({k.removeprefix("module/prior/"): v for k, v in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"the StyleGAN in {folder.name} is broken: adopt it again.") from error
    return frozen(made)
