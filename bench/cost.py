"""What crafting costs: passes and operations (counted), seconds and memory (measured)."""

import ctypes
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter, Crafting
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from passes import Operations, counting

COUNTED = 2  # images that the counting is done with; cost is per image


@dataclass(frozen=True)
class Work:
    """Per image, over all steps."""

    passes: Mapping[str, float]
    operations: float  # multiplications and additions of convolutions and matrix products


@dataclass(frozen=True)
class Timed:
    """A batch crafted, or the first steps of it."""

    seconds: float  # per image, over all steps
    mebibytes: float | None  # peak above what was held before; None where no one tells
    ran: int  # steps
    features: Features | None  # F_X; None unless all steps were run


def work_of(recipe: Crafter, offline: Offline, images: Images) -> Work:
    """Counted on the first images: one step, and what a second one adds, times the others.

    A critic looks at 32 faces a time, so in larger batches it costs each face less than told here.
    """
    some = images[:COUNTED]
    first, second = (_counted(replace(recipe, steps=steps), offline, some) for steps in (1, 2))
    more = recipe.steps - 1
    names = first[0] | second[0]
    passes = {name: first[0][name] + more * (second[0][name] - first[0][name]) for name in names}
    total = first[1] + more * (second[1] - first[1])
    return Work({name: count / len(some) for name, count in passes.items()}, total / len(some))


def timed(recipe: Crafter, offline: Offline, images: Images, steps: int | None = None) -> Timed:
    """Craft a batch and take the time; `steps`: run only so many of its steps, and multiply.

    What precedes the first step is not multiplied, if two steps or more are run. A step is run
    before the clock is: what only the first use of memory and kernels costs is not told.
    """
    ran, ends = min(steps or recipe.steps, recipe.steps), list[float]()
    last: Crafting | None = None
    next(_steps(recipe, offline, images))
    with progress(f"{ran} of {recipe.steps} steps", ran) as advance, peak(images.device) as held:
        began = now(images.device)
        for step in islice(_steps(recipe, offline, images), ran):
            last = step
            if ran < recipe.steps:  # to wait for the device in each step costs time
                ends.append(now(images.device) - began)
            advance()
        features = last.features if last is not None else None  # what is released
        seconds = now(images.device) - began
    if ran < recipe.steps:
        features = None
        each = (ends[-1] - ends[0]) / (ran - 1) if ran > 1 else ends[0]
        seconds += each * (recipe.steps - ran)
    return Timed(seconds / len(images), held.mebibytes, ran, features)


@dataclass
class Held:
    """Memory in use at the highest point of a block, above its beginning."""

    mebibytes: float | None = None  # None where no one tells


@contextmanager
def peak(device: torch.device) -> Generator[Held]:
    """Watch the memory of the device, or of this process where Linux tells."""
    held = Held()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield held
        held.mebibytes = (torch.cuda.max_memory_allocated(device) - before) / 2**20
    elif _forget():
        before = _resident("VmRSS")
        yield held
        held.mebibytes = _resident("VmHWM") - before
    else:
        yield held


def _forget() -> bool:
    """Begin a new highest point of memory; False where that cannot be done."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # memory that was freed before is not to be had for free
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError, TypeError):
        return False
    return True


def _counted(recipe: Crafter, offline: Offline, images: Images) -> tuple[Counter[str], int]:
    with counting(offline) as (watched, passes), Operations() as operations:
        *_, last = _steps(recipe, watched, images)
        _ = last.features  # what is released
    return passes, operations.total


def _steps(recipe: Crafter, offline: Offline, images: Images) -> Iterator[Crafting]:
    protector: Any = recipe.fit(offline, stream(0, "bench", "fit"))
    return protector.craft(images, stream(0, "bench"))


def now(device: torch.device) -> float:
    """Seconds, when the device is done with what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _resident(what: str) -> float:
    """MiB of this process, as Linux tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024
