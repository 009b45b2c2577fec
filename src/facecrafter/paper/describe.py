"""Recipes as JSON: {name, all fields}, nested recipes likewise."""

import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import ResultError
from facecrafter.paper.threats import Threat

Json = dict[str, Any]


def of_defence(defence: AbstractDefence) -> Json:
    """{"name": "Crafter", "beta": 1.0, ...}."""
    return cast("Json", _value(defence))


def of_threat(threat: Threat) -> Json:
    """{"name": "white-box", "sees": "white-box", "recipe": "LatentSearch", all its fields}."""
    attack = cast("Json", _value(threat.attack))
    return {"name": threat.name, "sees": threat.sees, "recipe": attack.pop("name"), **attack}


def _value(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        # what two equal recipes may differ in is no part of them
        told = [part.name for part in fields(value) if part.compare]
        inside = {name: _value(getattr(value, name)) for name in told}
        return {"name": type(value).__name__, **inside}
    if isinstance(value, Path):
        return value.name  # a result tells nothing of the machine's folders
    if isinstance(value, list | tuple):
        return [_value(one) for one in cast("list[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ResultError(f"a field is {value}, and JSON has no such number: give a finite one.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ResultError(f"a recipe holds {type(value).__name__}, which no result can describe.")
