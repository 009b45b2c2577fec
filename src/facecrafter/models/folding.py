"""Networks without batch norms, for searches that pass through Enc and G a thousand times.

In evaluation mode a batch norm is a scale and a shift of each channel, so it can be multiplied
into the layer before it; fewer passes over the maps are left, forwards and backwards.
"""

import copy
import re
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from facecrafter.models.part import AnyModule

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold_batch_norms(module: AnyModule) -> AnyModule:
    """A copy that answers the same, its batch norms in evaluation mode replaced by `Identity`.

    A norm is folded where it follows a convolution, an up-convolution or a linear layer: next to
    it in a `Sequential`, or named `bn1` beside `conv1`. Norms that come first (pre-activation) or
    are in training mode stay. Kernels lie channels last in memory, which CPUs and GPUs take
    fastest. Answers differ by rounding only.
    """
    folded = copy.deepcopy(module)
    for parent in list(folded.modules()):
        for before, after in _neighbours(parent):
            layer, norm = getattr(parent, before), getattr(parent, after)
            if isinstance(norm, _NORMS) and not norm.training and norm.running_var is not None:
                fused = _fused(layer, norm)
                if fused is not None:
                    setattr(parent, before, fused)
                    setattr(parent, after, nn.Identity())
    return folded.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _neighbours(parent: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of children of which the second takes what the first gives."""
    names = [name for name, _ in parent.named_children()]
    if isinstance(parent, nn.Sequential):
        yield from pairwise(names)
        return
    for name in names:
        norm = name.replace("conv", "bn")
        if re.fullmatch(r"conv\d+", name) and norm in names:
            yield name, norm


def _fused(layer: nn.Module, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module | None:
    """One layer in the place of two; nothing where the layer is of another kind."""
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    if isinstance(layer, nn.Conv2d):
        return fuse_conv_bn_eval(layer, norm)
    if isinstance(layer, nn.ConvTranspose2d) and layer.groups == 1:
        return fuse_conv_bn_eval(layer, norm, transpose=True)
    return None
