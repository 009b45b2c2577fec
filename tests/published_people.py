"""Weights of small networks in the names that others publish them in, and what they compute."""

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, max_pool2d, prelu

STEM, STAGES, WIDTH = 4, ((4, 2), (6, 1), (8, 2), (10, 1)), 12  # channels and blocks of each
SIDE = 32  # of the photographs, pixels; 2 are left
Named = dict[str, Tensor]


def insightface() -> Named:
    """As `arcface_torch` names them: a batch norm between, a convolution beside each first."""
    made = _norm("bn1", STEM) | _norm("bn2", 10) | _norm("features", WIDTH)
    made |= {"conv1.weight": (STEM, 3, 3, 3), "prelu.weight": (STEM,)}
    made |= {"fc.weight": (WIDTH, 40), "fc.bias": (WIDTH,)}
    inside = STEM
    for stage, (outside, count) in enumerate(STAGES, start=1):
        for number in range(count):
            block = f"layer{stage}.{number}"
            made |= _norm(f"{block}.bn1", inside) | _norm(f"{block}.bn2", outside)
            made |= _norm(f"{block}.bn3", outside) | {f"{block}.prelu.weight": (outside,)}
            made[f"{block}.conv1.weight"] = (outside, inside, 3, 3)
            made[f"{block}.conv2.weight"] = (outside, outside, 3, 3)
            if number == 0:
                made[f"{block}.downsample.0.weight"] = (outside, inside, 1, 1)
                made |= _norm(f"{block}.downsample.1", outside)
            inside = outside
    return _filled(made)


def evolve(between: bool = False) -> Named:
    """As InsightFace_Pytorch and face.evoLVe name them; `between`: as TFace, with one more norm."""
    made = {"input_layer.0.weight": (STEM, 3, 3, 3), "input_layer.2.weight": (STEM,)}
    made |= _norm("input_layer.1", STEM) | _norm("output_layer.0", 10)
    made |= {"output_layer.3.weight": (WIDTH, 40), "output_layer.3.bias": (WIDTH,)}
    made |= _norm("output_layer.4", WIDTH, scaled=not between)
    inside, place = STEM, 0
    for outside, count in STAGES:
        for _ in range(count):
            block, later = f"body.{place}.res_layer", int(between)
            made |= _norm(f"{block}.0", inside) | _norm(f"{block}.{4 + later}", outside)
            made |= _norm(f"{block}.2", outside) if between else {}
            made[f"{block}.1.weight"] = (outside, inside, 3, 3)
            made[f"{block}.{2 + later}.weight"] = (outside,)
            made[f"{block}.{3 + later}.weight"] = (outside, outside, 3, 3)
            if inside != outside:
                made[f"body.{place}.shortcut_layer.0.weight"] = (outside, inside, 1, 1)
                made |= _norm(f"body.{place}.shortcut_layer.1", outside)
            inside, place = outside, place + 1
    return _filled(made)


def seen(weights: Named, images: Tensor) -> Tensor:
    """What such a network says of photographs of `SIDE` pixels, written out; unit length."""
    theirs = "conv1.weight" in weights
    stem = ("conv1", "bn1", "prelu") if theirs else [f"input_layer.{i}" for i in range(3)]
    ends = ("bn2", "fc", "features") if theirs else [f"output_layer.{i}" for i in (0, 3, 4)]
    maps = conv2d(2 * images - 1, weights[f"{stem[0]}.weight"], padding=1)
    maps = prelu(_normed(weights, stem[1], maps), weights[f"{stem[2]}.weight"])
    place = 0
    for stage, (_, count) in enumerate(STAGES, start=1):
        for number in range(count):
            stride = 1 if number else 2
            if theirs:
                block = f"layer{stage}.{number}"
                parts = [
                    f"{block}.{one}" for one in ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
                ]
                beside = [f"{block}.downsample.{i}" for i in (0, 1)]
            else:
                block = f"body.{place}"
                six = f"{block}.res_layer.5.weight" in weights
                parts = [f"{block}.res_layer.{i}" for i in range(6 if six else 5)]
                beside = [f"{block}.shortcut_layer.{i}" for i in (0, 1)]
            maps = _block(weights, parts, beside, stride, maps)
            place += 1
    flat = _normed(weights, ends[0], maps).flatten(1)
    found = linear(flat, weights[f"{ends[1]}.weight"], weights[f"{ends[1]}.bias"])
    found = _normed(weights, ends[2], found)
    return found / found.norm(dim=1, keepdim=True)


def _block(
    weights: Named, parts: list[str], beside: list[str], stride: int, maps: Tensor
) -> Tensor:
    first, *between, rise, second, last = parts[1:]
    found = _normed(weights, parts[0], maps)
    found = conv2d(found, weights[f"{first}.weight"], padding=1)
    for norm in between:
        found = _normed(weights, norm, found)
    found = prelu(found, weights[f"{rise}.weight"])
    found = conv2d(found, weights[f"{second}.weight"], stride=stride, padding=1)
    found = _normed(weights, last, found)
    if f"{beside[0]}.weight" not in weights:
        return found + max_pool2d(maps, 1, stride)
    other = conv2d(maps, weights[f"{beside[0]}.weight"], stride=stride)
    return found + _normed(weights, beside[1], other)


def _normed(weights: Named, name: str, maps: Tensor) -> Tensor:
    parts = ("running_mean", "running_var", "weight", "bias")
    return batch_norm(maps, *(weights.get(f"{name}.{part}") for part in parts), eps=1e-5)


def _norm(name: str, width: int, scaled: bool = True) -> dict[str, tuple[int, ...]]:
    parts = ("running_mean", "running_var", *(("weight", "bias") if scaled else ()))
    return {f"{name}.num_batches_tracked": ()} | {f"{name}.{part}": (width,) for part in parts}


def _filled(shapes: dict[str, tuple[int, ...]]) -> Named:
    rng, made = torch.Generator().manual_seed(0), Named()
    for name, shape in shapes.items():
        drawn = torch.rand(shape, generator=rng)
        if name.endswith("num_batches_tracked"):
            made[name] = torch.tensor(7)
        elif len(shape) > 1:
            made[name] = (drawn - 0.5) * 4 / max(1, drawn[0].numel()) ** 0.5
        else:
            made[name] = 0.5 + drawn
    return made
