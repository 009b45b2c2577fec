"""Mixed precision and the processor: a gain on most, a trap on those without its instructions."""

import platform
import sys
from typing import TypeVar

import torch

from facecrafter.paper.float32 import in_float32

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


def warn_of_bfloat16(recipe: object, device: torch.device, instead: str) -> None:
    """Say on standard error, where a recipe is slow for its precision, what to do `instead`."""
    if suited(recipe, device) != recipe:
        print(
            "facecrafter: this processor cannot multiply in bfloat16, so mixed precision takes "
            f"about twenty times as long as float32. {instead}",
            file=sys.stderr,
        )
