"""Progress of long work: a bar with time left on a terminal, now and then a line in a log."""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 30.0  # ours


@runtime_checkable
class Advance(Protocol):
    """Called with how many units of work were done and a short note, such as a loss."""

    def __call__(self, done: int = 1, note: str = "") -> None: ...


_quiet = False
_outer: Progress | None = None  # the bar that is shown; work within it gets a line below


def be_quiet(quiet: bool = True) -> None:
    """Show no progress at all: for `--quiet` and `--json`."""
    global _quiet
    _quiet = quiet


@contextmanager
def progress(title: str, total: int, start: int = 0) -> Generator[Advance]:
    """Show progress on standard error while the block runs."""
    if _quiet:
        yield _nothing
    elif sys.stderr.isatty():
        yield from _bar(title, total, start)
    else:
        yield _Lines(title, total, start)


def _nothing(done: int = 1, note: str = "") -> None:
    """Show nothing."""


def _bar(title: str, total: int, start: int) -> Iterator[Advance]:
    global _outer
    if _outer is not None:
        yield from _line(_outer, title, total, start)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as _outer:
        try:
            yield from _line(_outer, title, total, start)
        finally:
            _outer = None


def _line(bars: Progress, title: str, total: int, start: int) -> Iterator[Advance]:
    task = bars.add_task(title, total=total, completed=start, note="")

    def advance(done: int = 1, note: str = "") -> None:
        bars.update(task, advance=done, note=note)

    try:
        yield advance
    finally:
        bars.remove_task(task)


class _Lines:
    """One line in thirty seconds: what is done, what is left, how long."""

    def __init__(self, title: str, total: int, start: int) -> None:
        self.title, self.total, self.start, self.done = title, total, start, start
        self.began = self.spoke = time.monotonic()

    def __call__(self, done: int = 1, note: str = "") -> None:
        self.done += done
        now = time.monotonic()
        if now - self.spoke < SECONDS_BETWEEN_LINES:
            return
        self.spoke = now
        pace = (now - self.began) / max(self.done - self.start, 1)
        left = pace * (self.total - self.done)
        line = f"{self.title}: {self.done}/{self.total}, {left:.0f} s left {note}"
        print(line.rstrip(), file=sys.stderr, flush=True)
