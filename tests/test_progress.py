"""Bars on a terminal; lines in a log are read by other tests."""

import io

import pytest

from facecrafter import progress as module
from facecrafter.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_work_within_work_gets_a_line_below(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress("outer", 2) as outer:
        with progress("inner", 3) as inner:
            inner(3)
        outer()
    told = screen.getvalue()
    assert "outer" in told
    assert "inner" in told


def test_a_bar_that_was_interrupted_leaves_room_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(KeyboardInterrupt), progress("one", 2), progress("two", 2):
        raise KeyboardInterrupt
    assert module._outer is None
    with progress("three", 1) as advance:
        advance()
