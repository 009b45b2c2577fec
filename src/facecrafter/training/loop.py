"""The one training loop: steps, progress, checkpoints, exact resume.

All randomness of step i comes from `stream(seed, ..., i)`, or from torch's global generator, which
is seeded anew for each step (dropout reads it). So a checkpoint is weights, optimiser state and a
step number, and a run that was killed ends bit-equal to one that was not (at the same number of
threads).
"""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facecrafter.errors import DataError, NumericalError, SettingError
from facecrafter.pictures import curves, sheet
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.training import checkpoints
from facecrafter.training.basis import Basis, digest
from facecrafter.training.state import State
from facecrafter.types import Images

Losses = dict[str, float]

_log = logging.getLogger(__name__)
_RESTS_ON = "rests on"  # key of what a checkpoint says


@dataclass
class Job:
    """What one training changes and how it does one step."""

    title: str
    steps: int
    step: Callable[[int], Losses]  # does step i, returns its losses
    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]
    recipe: str  # repr of the recipe and seed: a checkpoint of another recipe is refused
    # faces and networks that it learns from, by name: a checkpoint that rests on others is refused
    rests_on: Mapping[str, Basis] = field(default_factory=dict[str, Basis])
    samples: Callable[[], Images] | None = None  # a sheet of faces to look at
    history: list[Losses] = field(default_factory=list[Losses])
    written: int = 0  # rows of the history that are on the disk
    seconds: float | None = 0.0  # until the last checkpoint; None: an older one did not say

    @property
    def state(self) -> State:
        """What a checkpoint keeps of it."""
        return State(self.modules, self.optimisers)

    @cached_property
    def digests(self) -> dict[str, str]:
        """What a checkpoint keeps of that which it rests on."""
        return {name: digest(basis) for name, basis in self.rests_on.items()}


def run(job: Job, folder: Path | None = None, every: float = 60.0) -> None:
    """Do all steps; with a `folder`, checkpoint every so many seconds and resume from there.

    Ctrl-C finishes the step, writes a checkpoint and raises `KeyboardInterrupt`; a second one does
    not wait. Raises `NumericalError` where the training diverges, `SettingError` where the folder
    holds another one, be it of another recipe or of other faces or networks, `DataError` where
    there is not one step to do.
    """
    if job.steps < 1:
        raise DataError(
            f"{job.title} has {job.steps} steps, so nothing would be trained: give at least one "
            "epoch, and as many faces as fill a batch."
        )
    start = _resume(job, folder) if folder else 0
    saved = time.monotonic()
    with progress(job.title, job.steps, start) as advance, _interruptible() as interrupted:
        for i in range(start, job.steps):
            torch.manual_seed(stream(i, job.recipe).initial_seed())
            losses = job.step(i)
            _refuse_divergence(job.title, i, losses)
            job.history.append({"step": float(i), **losses})
            advance(1, " ".join(f"{name} {value:.4g}" for name, value in losses.items()))
            late = time.monotonic() - saved > every or i + 1 == job.steps
            if folder and (late or interrupted()):
                now = time.monotonic()
                if job.seconds is not None:
                    job.seconds += now - saved
                saved = now
                _save(job, folder, i + 1)
            if interrupted():
                raise KeyboardInterrupt


def shuffled(count: int, batch: int, step: int, rng: Callable[[int], torch.Generator]) -> Tensor:
    """Indices of the batch of a step: every epoch is a new order, its last short batch dropped.

    `rng(epoch)` gives the generator of an epoch.
    """
    batches = count // batch
    if batches == 0:
        raise DataError(
            f"{count} faces do not fill one batch of {batch}: give more faces or a smaller batch."
        )
    epoch, position = divmod(step, batches)
    order = torch.randperm(count, generator=rng(epoch))
    return order[position * batch : (position + 1) * batch]


def one_cycle(step: int, steps: int, warm: float = 0.1) -> float:
    """Factor of the learning rate: up in a straight line, then down along a cosine to 0."""
    done = (step + 0.5) / steps
    if done < warm:
        return done / warm
    return 0.5 * (1 + float(np.cos(np.pi * (done - warm) / (1 - warm))))


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def _refuse_divergence(title: str, step: int, losses: Losses) -> None:
    if not all(np.isfinite(value) for value in losses.values()):
        raise NumericalError(
            f"{title} diverged at step {step}: {losses}. Lower the learning rate; the last "
            "checkpoint is intact."
        )


@contextmanager
def _interruptible() -> Generator[Callable[[], bool]]:
    """Within the block the first Ctrl-C is noted, not raised, so that no step is torn."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _save(job: Job, folder: Path, done: int) -> None:
    tensors = job.state.gather()
    _refuse_broken_weights(job.title, done, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    # before the checkpoint: a row too many is forgotten on resuming, a row too few is not found
    checkpoints.append_losses(folder, job.history[job.written :])
    job.written = len(job.history)
    took = {} if job.seconds is None else {"seconds": f"{job.seconds:.1f}"}
    said = {"step": str(done), "recipe": job.recipe, _RESTS_ON: json.dumps(job.digests), **took}
    checkpoints.write(folder, tensors, said)
    curves(job.history, folder / "losses.png", job.title)
    if job.samples is not None:
        sheet(job.samples(), scale=2).save(folder / f"samples-{done:06d}.png")


def _refuse_broken_weights(title: str, done: int, tensors: Mapping[str, Tensor]) -> None:
    """A finite loss may still have had an infinite gradient; such weights are never saved."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NumericalError(
                f"{title} diverged before step {done}: {name} is not finite. Lower the learning "
                "rate; the last checkpoint is intact."
            )


def _resume(job: Job, folder: Path) -> int:
    found = checkpoints.read(folder)
    if found is None:
        checkpoints.losses_before(folder, 0)
        return 0
    tensors, said = found
    _refuse_another(job, folder, said)
    try:
        job.state.scatter(tensors)
    except (KeyError, RuntimeError) as error:  # an older checkpoint, which does not say more
        raise SettingError(
            f"{folder.name} holds a training of networks of another shape: give another folder, or "
            "the faces and networks that it began with."
        ) from error
    done = int(said["step"])
    job.history[:] = checkpoints.losses_before(folder, done)
    job.written = len(job.history)
    job.seconds = float(said["seconds"]) if "seconds" in said else None
    return done


def _refuse_another(job: Job, folder: Path, said: Mapping[str, str]) -> None:
    """What a checkpoint says must be what the job is; an older one did not say what it rests on."""
    if said["recipe"] != job.recipe:
        raise SettingError(
            f"{folder.name} holds a training of another recipe:\n  {said['recipe']}\nnot\n"
            f"  {job.recipe}\nGive another folder, or the first recipe."
        )
    if _RESTS_ON not in said:
        _log.warning(
            "%s does not say which faces and networks it rests on: taken to be these", folder.name
        )
        return
    before: dict[str, str] = json.loads(said[_RESTS_ON])
    names = sorted(before.keys() | job.digests.keys())
    others = [name for name in names if before.get(name) != job.digests.get(name)]
    if others:
        raise SettingError(
            f"{folder.name} holds a training of this recipe, but not from the same {_and(others)}. "
            f"Give another folder, or the {_and(others)} that it began with."
        )


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
