"""Measure many cells: goes on where it was stopped, also after kill -9, on several cores.

for step in evaluate(LFW64.cells(), partial(lfw64, root, bundle), store, processes=2):
    print(step)
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

import torch

from facecrafter.errors import FacecrafterError, ResultError, SettingError
from facecrafter.paper.cells import Cell
from facecrafter.paper.keeping import taught
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.progress import be_quiet

MakeScene = Callable[[], Scene]  # with several processes each makes its own, so it is picklable
Answer = tuple[int, Record | FacecrafterError]  # number of the cell, and what came of it


@dataclass(frozen=True)
class Step:
    """One cell is there."""

    cell: Cell
    record: Record
    kept: bool  # it was in the store before
    done: int  # cells, this one among them
    total: int
    left: float  # seconds until the last, as far as the cells measured so far tell

    def __str__(self) -> str:
        outcome = self.record.outcome
        how = "kept" if self.kept else f"{self.record.wall:.0f} s, {self.left:.0f} s left"
        return (
            f"[{self.done}/{self.total}] {self.cell}: Eval Acc {outcome['eval_acc']:.3f}, "
            f"AUC {outcome['auc']:.3f}, SSIM {outcome['ssim']:.3f} ({how})"
        )


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    measured: int
    kept: int
    seconds: float  # all cells' own, whichever run measured them

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "Summary":
        """Of all steps of a run."""
        kept = sum(step.kept for step in steps)
        return cls(len(steps) - kept, kept, sum(step.record.wall for step in steps))

    def __str__(self) -> str:
        return f"{self.measured} cells measured, {self.kept} were there, {self.seconds:.0f} s"


def evaluate(
    cells: Sequence[Cell], make_scene: MakeScene, store: Store, processes: int = 1
) -> Iterator[Step]:
    """Every cell, those in the store first; the caller's loop is the place to print or to stop.

    With several `processes`, each is one thread and takes all cells of one release, so that what
    is slow, the crafting, is done once. At one thread, outcomes do not depend on how many there
    are. Raises what `measure` raises, and `ResultError` where a process died; what was measured
    stays.
    """
    if not processes >= 1:
        raise SettingError(f"processes={processes} is below 1.")
    if not cells:
        return
    scene = make_scene()
    digest, total, done = scene.digest, len(cells), 0
    waiting: list[int] = []
    for number, cell in enumerate(cells):
        found = store.find(cell.key(digest, taught(cell, scene)))
        if found is None:
            waiting.append(number)
        else:
            done += 1
            yield Step(cell, found, True, done, total, 0.0)
    groups, began = _groups(cells, waiting, digest), time.monotonic()
    fresh = (
        ((i, measure(cells[i], scene, store)) for group in groups for i in group)
        if processes == 1
        else _spread(cells, groups, make_scene, store, processes)
    )
    for measured, (number, record) in enumerate(fresh, start=1):
        left = (time.monotonic() - began) / measured * (len(waiting) - measured)
        yield Step(cells[number], record, False, done + measured, total, left)


def _groups(cells: Sequence[Cell], waiting: Sequence[int], digest: str) -> list[list[int]]:
    """Numbers of cells that read the same release."""
    groups: dict[str, list[int]] = {}
    for number in waiting:
        groups.setdefault(cells[number].deployment(digest), []).append(number)
    return list(groups.values())


def _spread(
    cells: Sequence[Cell],
    groups: Sequence[Sequence[int]],
    make_scene: MakeScene,
    store: Store,
    processes: int,
) -> Iterator[tuple[int, Record]]:
    """Groups over processes, as many at a time; none outlives the loop that reads from here."""
    queue = deque(groups)
    running: dict[Connection, SpawnProcess] = {}
    try:
        while queue or running:
            while queue and len(running) < processes:
                some = [(number, cells[number]) for number in queue.popleft()]
                connection, process = _start(some, make_scene, store)
                running[connection] = process
            for ready in cast("list[Connection]", wait(list(running))):
                try:
                    number, result = ready.recv()
                except EOFError:
                    _finish(running.pop(ready))
                    continue
                if isinstance(result, FacecrafterError):
                    raise result
                yield number, result
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _start(
    cells: list[tuple[int, Cell]], make_scene: MakeScene, store: Store
) -> tuple[Connection, SpawnProcess]:
    context = multiprocessing.get_context("spawn")  # a forked torch hangs
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(cells, make_scene, store, send), daemon=True)
    process.start()
    send.close()  # here; then the end of the process ends the pipe
    return receive, process


def _finish(process: SpawnProcess) -> None:
    process.join()
    if process.exitcode:
        raise ResultError(
            f"a process ended with exit code {process.exitcode} while it measured (its message, "
            "if any, stands above; -9 means killed, perhaps for lack of memory). What was measured "
            "is stored: run the same command again, or with fewer processes."
        )


def _work(
    cells: list[tuple[int, Cell]], make_scene: MakeScene, store: Store, send: Connection
) -> None:
    """One process: measure these cells one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    be_quiet()
    scene = make_scene()
    for number, cell in cells:
        try:
            answer: Answer = number, measure(cell, scene, store)
        except FacecrafterError as error:
            answer = number, error
        send.send(answer)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
