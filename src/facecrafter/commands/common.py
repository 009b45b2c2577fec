"""What all commands have in common: options, the outcome, which device."""

import abc
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import tyro
from torch import Generator

from facecrafter.errors import SettingError
from facecrafter.paper.precision import suited
from facecrafter.randomness import secret, stream

OK = 0
FAILED = 1  # a facecrafter error, or a full disk
USAGE = 2  # as usual on a command line
UNSAFE = 3  # nothing was protected, or verify does not say hidden
INTERRUPTED = 130  # Ctrl-C; 128 + SIGINT, as shells do


class UsageError(Exception):
    """The command line itself is wrong, in a way that its grammar cannot express."""


@dataclass(frozen=True)
class Common:
    """Options of every command."""

    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto = cuda where there is a GPU; ours
    seed: int | None = None  # of all that is random; None = 0, for protect and verify secret
    json: bool = False  # print one JSON object on standard output, and no progress
    quiet: bool = False  # show no progress

    def torch_device(self) -> torch.device:
        """Where to compute. Raises `SettingError` where there is no such device."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise SettingError("--device cuda: torch sees no GPU here. Use --device auto or cpu.")
        found = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(found if self.device == "auto" else self.device)

    def number(self) -> int:
        """The seed; 0 where none was given."""
        return self.seed or 0

    def rng(self, *purpose: str) -> Generator:
        """Repeatable random numbers for one purpose."""
        return stream(self.number(), *purpose)

    def secret_rng(self, *purpose: str) -> Generator:
        """Numbers that nobody can repeat, unless a seed was given."""
        return secret() if self.seed is None else stream(self.seed, *purpose)


Options = Annotated[Common, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class Outcome:
    """What a command has to say: a text for people, facts for machines, an exit code."""

    text: str
    facts: Mapping[str, Any]  # what JSON can hold
    code: int = OK


def warn_of_bfloat16(recipe: object, device: torch.device, instead: str) -> None:
    """Say on standard error, where a recipe is slow for its precision, what to do `instead`."""
    if suited(recipe, device) != recipe:
        print(
            "facecrafter: this processor cannot multiply in bfloat16, so mixed precision takes "
            f"about twenty times as long as float32. {instead}",
            file=sys.stderr,
        )


@dataclass(frozen=True, kw_only=True)
class AbstractCommand(abc.ABC):
    """A command line's verb. Its fields are its options, their comments the help."""

    common: Options = dataclasses.field(default_factory=Common)

    @abc.abstractmethod
    def run(self) -> Outcome:
        """Do it. Raises `FacecrafterError` for what the user can mend."""
