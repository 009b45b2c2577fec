"""Recipes without mixed precision, for processors on which it is slow."""

import dataclasses
from typing import Any, TypeVar, cast

Recipe = TypeVar("Recipe")


def in_float32(recipe: Recipe) -> Recipe:
    """The same recipe, and those within it or within a tuple, without mixed precision."""
    if isinstance(recipe, tuple):
        return cast("Recipe", tuple(in_float32(one) for one in cast("tuple[Any, ...]", recipe)))
    if not dataclasses.is_dataclass(recipe):
        return recipe
    inside = {f.name: in_float32(getattr(recipe, f.name)) for f in dataclasses.fields(recipe)}
    if "bfloat16" in inside:
        inside["bfloat16"] = False
    return cast("Recipe", dataclasses.replace(cast("Any", recipe), **inside))
