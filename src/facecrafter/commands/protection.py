"""Which defence protects: options that `protect`, `verify` and `demo` share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal

import tyro

from facecrafter.bundle import Bundle
from facecrafter.commands.common import UsageError
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import BundleError


@dataclass(frozen=True, kw_only=True)
class Protection:
    """A defence and its settings. Those of the other one are refused, not left aside."""

    # crafter moves the feature, and with a surrogate hides most from attackers who do not learn
    # from the defence; stand-in sends that of an average face which the surrogate reads alike, and
    # hides most from those who do: docs/adaptive.md
    defence: Literal["crafter", "stand-in"] = "crafter"
    any_task: bool = False  # do not use the bundle's surrogate: keep every use alike, and hide less
    crafter: Annotated[Crafter, tyro.conf.arg(name="")] = field(default_factory=Crafter)
    stand_in: StandIn = field(default_factory=StandIn)  # of --defence stand-in only

    def __post_init__(self) -> None:
        crafters, others = _given(self.crafter, "--"), _given(self.stand_in, "--stand-in.")
        if self.defence == "stand-in" and (self.any_task or crafters):
            wrong = [*(["--any-task"] if self.any_task else []), *crafters]
            raise UsageError(
                f"--defence stand-in knows no {', '.join(wrong)}: leave that out, or choose "
                "--defence crafter. What stand-in knows begins with --stand-in."
            )
        if self.defence == "crafter" and others:
            raise UsageError(
                f"--defence crafter knows no {', '.join(others)}: leave that out, or choose "
                "--defence stand-in."
            )

    def recipe(self, bundle: Bundle) -> Crafter | StandIn:
        """The defence as it is used with a bundle: its surrogate, where it has one, says what for.

        Raises `BundleError` where there is none and the defence cannot do without.
        """
        if self.defence == "stand-in":
            if bundle.surrogate is None:
                raise BundleError(
                    "--defence stand-in needs a surrogate, and this bundle holds none: train one "
                    "with `facecrafter train surrogate`, save it with the others by `facecrafter "
                    "train bundle`, or choose --defence crafter."
                )
            return self.stand_in
        if self.any_task or bundle.surrogate is None:
            return self.crafter
        return replace(self.crafter, utility=TaskUtility())


def facts(recipe: Crafter | StandIn) -> Mapping[str, str]:
    """Which defence it was and what it kept, for machines."""
    if isinstance(recipe, StandIn):
        return {"defence": "stand-in", "reading": recipe.reading}
    return {"defence": "crafter", "utility": type(recipe.utility).__name__}


def _given(recipe: Crafter | StandIn, prefix: str) -> list[str]:
    """Options that are not as they are by default."""
    default = type(recipe)()
    return [
        f"{prefix}{part.name}"
        for part in fields(recipe)
        if getattr(recipe, part.name) != getattr(default, part.name)
    ]
