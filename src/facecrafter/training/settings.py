"""What the settings of a training may be, phrased so that NaN is refused."""

import math
from collections.abc import Callable

from facecrafter.errors import SettingError


def require_counts(recipe: object, *names: str, least: int = 1) -> None:
    """Raise `SettingError` unless these fields are whole numbers, none below `least`."""
    rule = f"a whole number from {least} up"
    _require(recipe, names, rule, lambda value: value >= least and value % 1 == 0)


def require_positive(recipe: object, *names: str) -> None:
    """Raise `SettingError` unless these fields are finite and above 0."""
    _require(recipe, names, "a finite number above 0", lambda value: 0 < value < math.inf)


def require_not_negative(recipe: object, *names: str) -> None:
    """Raise `SettingError` unless these fields are finite and at least 0."""
    _require(recipe, names, "a finite number from 0 up", lambda value: 0 <= value < math.inf)


def require_choice(recipe: object, name: str, *choices: str) -> None:
    """Raise `SettingError` unless the field is one of these words."""
    value = getattr(recipe, name)
    if value not in choices:
        raise SettingError(f"{_field(recipe, name)}: choose one of {', '.join(choices)}.")


def _require(
    recipe: object, names: tuple[str, ...], rule: str, holds: Callable[[float], bool]
) -> None:
    for name in names:
        value = getattr(recipe, name)
        each = value if isinstance(value, tuple) else (value,)  # as the widths of stages
        if not all(holds(one) for one in each):
            raise SettingError(f"{_field(recipe, name)}: give {rule}.")


def _field(recipe: object, name: str) -> str:
    return f"{name}={getattr(recipe, name)!r} of {type(recipe).__name__}"
