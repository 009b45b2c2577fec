"""Running the command line within a test."""

from collections.abc import Callable

import pytest

from facecrafter.cli import main

Told = tuple[int, str, str]  # exit code, standard output, standard error
Run = Callable[..., Told]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command line of these words."""

    def command(*words: object) -> Told:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command
