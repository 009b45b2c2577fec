"""The command line: `facecrafter demo | train | adopt | protect | attack | evaluate | expose |
develop | augment | locate | bound | azure | report | reproduce | verify`.

Exit codes: 0 done; 1 an error that the message explains; 2 wrong usage; 3 nothing was protected, or
`verify` does not say hidden; 130 stopped by Ctrl-C.
"""

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from facecrafter.commands.adopt import Adopt
from facecrafter.commands.attack import Attack
from facecrafter.commands.augmentation import Augment
from facecrafter.commands.azure import Azure
from facecrafter.commands.bound import Bound
from facecrafter.commands.common import FAILED, INTERRUPTED, UNSAFE, USAGE, Outcome, UsageError
from facecrafter.commands.demo import Demo
from facecrafter.commands.development import Develop
from facecrafter.commands.evaluate import Evaluate
from facecrafter.commands.exposure import Expose
from facecrafter.commands.locate import Locate
from facecrafter.commands.pages import Report
from facecrafter.commands.protect import Protect
from facecrafter.commands.reproduce import Reproduce
from facecrafter.commands.train import Train
from facecrafter.commands.verify import Verify
from facecrafter.errors import FacecrafterError, NotProtected
from facecrafter.progress import be_quiet

DESCRIPTION = """Send features of a face to the cloud without sending the face (Crafter, NDSS 2024).

Begin with: facecrafter demo

Every command explains itself: facecrafter protect --help. Defaults say where they are from: the
paper, the authors' code, or ours. Exit codes: 0 done; 1 an error, explained in one message; 2 wrong
usage; 3 nothing was protected, or verify does not say hidden; 130 stopped by Ctrl-C."""

Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Adopt, tyro.conf.subcommand("adopt")]
    | Annotated[Protect, tyro.conf.subcommand("protect")]
    | Annotated[Attack, tyro.conf.subcommand("attack")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Expose, tyro.conf.subcommand("expose")]
    | Annotated[Develop, tyro.conf.subcommand("develop")]
    | Annotated[Augment, tyro.conf.subcommand("augment")]
    | Annotated[Azure, tyro.conf.subcommand("azure")]
    | Annotated[Locate, tyro.conf.subcommand("locate")]
    | Annotated[Bound, tyro.conf.subcommand("bound")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
)
_STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, `sys.argv` if none is given; returns the exit code.

    Raises `SystemExit` with 2 for wrong usage, and with 0 after `--help`.
    """
    try:
        return _run(arguments)
    except UsageError as error:
        return _complain(error, USAGE)
    except NotProtected as error:
        return _complain(error, UNSAFE)
    except FacecrafterError as error:
        return _complain(error, FAILED)
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        return _complain(f"{error.strerror or error}{what}; what was finished is kept.", FAILED)
    except KeyboardInterrupt:
        return _complain("stopped; what was finished is kept.", INTERRUPTED)


def _run(arguments: Sequence[str] | None) -> int:
    command = tyro.cli(
        Command,  # pyright: ignore[reportArgumentType] (a union of types is a type to tyro)
        prog="facecrafter",
        description=DESCRIPTION,
        args=arguments,
        config=_STYLE,
    )
    be_quiet(command.common.quiet or command.common.json)
    try:
        outcome: Outcome = command.run()
    finally:
        be_quiet(False)
    print(json.dumps(outcome.facts, indent=1) if command.common.json else outcome.text)
    return outcome.code


def _complain(error: object, code: int) -> int:
    print(f"facecrafter: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
