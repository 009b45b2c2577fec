"""Mixed precision and the processor: a gain on most, a trap on those without its instructions."""

import dataclasses
import platform
from typing import Any, TypeVar, cast

import torch

Recipe = TypeVar("Recipe")

# of x86, by torch's names; what has AVX512 multiplies in bfloat16 as fast as in float32 or faster
_SLOW = ("DEFAULT", "AVX2")
_X86 = ("x86_64", "AMD64")


def slow_in_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 take many times as long there as in float32."""
    capability = torch.backends.cpu.get_cpu_capability()
    return device.type == "cpu" and platform.machine() in _X86 and capability in _SLOW


def suited(recipe: Recipe, device: torch.device) -> Recipe:
    """The recipe as it is fast on a device: without mixed precision where that is slow."""
    return in_float32(recipe) if slow_in_bfloat16(device) else recipe


def in_float32(recipe: Recipe) -> Recipe:
    """The same recipe, and those within it or within a tuple, without mixed precision."""
    if isinstance(recipe, tuple):
        return cast("Recipe", tuple(in_float32(one) for one in cast("tuple[Any, ...]", recipe)))
    if not dataclasses.is_dataclass(recipe):
        return recipe
    parts = [part.name for part in dataclasses.fields(recipe) if part.init]
    inside = {name: in_float32(getattr(recipe, name)) for name in parts}
    if "bfloat16" in inside:
        inside["bfloat16"] = False
    return cast("Recipe", dataclasses.replace(cast("Any", recipe), **inside))
