"""A crafting of hours that goes on where it was: after kill -9 it loses a minute.

What is kept is the state between two steps. What `begin` makes of a batch is made again; the same
photographs and random numbers make it the same.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from facecrafter.progress import progress
from facecrafter.training import checkpoints
from facecrafter.training.state import State, under

SECONDS = 60.0  # between two writes; ours


def steps(folder: Path | None, what: str, states: Mapping[str, State], total: int) -> Iterator[int]:
    """The numbers of the steps that are left; between two of them the states may be kept.

    `folder`: where; None keeps nothing and shows no progress. `what` is crafted: what was kept of
    something else is left alone until it is overwritten. Raises `OSError` on a full disk.
    """
    if folder is None:
        yield from range(total)
        return
    done, before = _resume(folder, what, states)
    began = saved = time.monotonic()
    with progress(what.split("(")[0], total, done) as advance:
        for i in range(done, total):
            yield i
            advance()
            now = time.monotonic()
            if now - saved > SECONDS and i + 1 < total:
                saved = now
                told = {"what": what, "step": str(i + 1), "seconds": str(before + now - began)}
                folder.mkdir(parents=True, exist_ok=True)
                checkpoints.write(folder, _gather(states), told)


def seconds(folder: Path) -> float:
    """How long what is kept there took."""
    found = checkpoints.read(folder)
    return float(found[1]["seconds"]) if found else 0.0


def _resume(folder: Path, what: str, states: Mapping[str, State]) -> tuple[int, float]:
    """Steps done, and the seconds they took."""
    found = checkpoints.read(folder)
    if found is None or found[1].get("what") != what:
        return 0, 0.0
    tensors, told = found
    for name, state in states.items():
        state.scatter(under(tensors, f"{name}/"))
    return int(told["step"]), float(told["seconds"])


def _gather(states: Mapping[str, State]) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value
        for name, state in states.items()
        for key, value in state.gather().items()
    }
