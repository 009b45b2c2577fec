"""The one training loop: steps, progress, checkpoints, exact resume.

All randomness of step i comes from `stream(seed, ..., i)`, so a checkpoint is weights, optimiser
state and a step number, and a run that was killed ends bit-equal to one that was not (at the same
number of threads).
"""

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from facecrafter.errors import DataError, NumericalError, SettingError
from facecrafter.pictures import curves, sheet
from facecrafter.progress import progress
from facecrafter.types import Images

Losses = dict[str, float]


@dataclass
class Job:
    """What one training changes and how it does one step."""

    title: str
    steps: int
    step: Callable[[int], Losses]  # does step i, returns its losses
    modules: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    recipe: str  # repr of the recipe and seed: a checkpoint of another recipe is refused
    samples: Callable[[], Images] | None = None  # a sheet of faces to look at
    history: list[Losses] = field(default_factory=list)


def run(job: Job, folder: Path | None = None, every: float = 60.0) -> None:
    """Do all steps; with a `folder`, checkpoint every so many seconds and resume from there.

    Ctrl-C finishes the step, writes a checkpoint and raises `KeyboardInterrupt`.
    """
    start = _resume(job, folder) if folder else 0
    saved = time.monotonic()
    with progress(job.title, job.steps, start) as advance, _interruptible() as interrupted:
        for i in range(start, job.steps):
            losses = job.step(i)
            _refuse_divergence(job.title, i, losses)
            job.history.append({"step": float(i), **losses})
            advance(1, " ".join(f"{name} {value:.4g}" for name, value in losses.items()))
            late = time.monotonic() - saved > every or i + 1 == job.steps
            if folder and (late or interrupted()):
                _save(job, folder, i + 1)
                saved = time.monotonic()
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
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C is noted, not raised, so that no step is torn."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted.is_set
        return
    before = signal.signal(signal.SIGINT, lambda *_: noted.set())
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _save(job: Job, folder: Path, done: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(_tensors(job))
    metadata = {"step": str(done), "recipe": job.recipe, "sha256": _digest(tensors)}
    newest, partial = folder / "checkpoint.safetensors", folder / "checkpoint.partial"
    save_file(tensors, partial, metadata)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    if newest.exists():
        newest.replace(folder / "checkpoint.previous.safetensors")
    partial.replace(newest)
    history = "".join(json.dumps(row) + "\n" for row in job.history)
    (folder / "losses.jsonl").write_text(history)
    curves(job.history, folder / "losses.png", job.title)
    if job.samples is not None:
        sheet(job.samples(), scale=2).save(folder / f"samples-{done:06d}.png")


def _resume(job: Job, folder: Path) -> int:
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        found = _read(folder / name)
        if found is None:
            continue
        tensors, metadata = found
        if metadata["recipe"] != job.recipe:
            raise SettingError(
                f"{folder.name} holds a training of another recipe:\n  {metadata['recipe']}\nnot\n"
                f"  {job.recipe}\nGive another folder, or the first recipe."
            )
        _load(job, tensors)
        done = int(metadata["step"])
        job.history[:] = _history(folder / "losses.jsonl", done)
        return done
    return 0


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """A whole and unaltered checkpoint, or nothing."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    return (tensors, metadata) if metadata.get("sha256") == _digest(tensors) else None


def _history(path: Path, done: int) -> list[Losses]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row["step"] < done]


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _tensors(job: Job) -> Iterator[tuple[str, Tensor]]:
    for name, module in job.modules.items():
        for key, value in module.state_dict().items():
            yield f"module/{name}/{key}", value.detach().cpu().contiguous().clone()
    for name, optimiser in job.optimisers.items():
        for number, state in optimiser.state_dict()["state"].items():
            for key, value in state.items():
                yield f"optimiser/{name}/{number}/{key}", torch.as_tensor(value).cpu().clone()


def _load(job: Job, tensors: Mapping[str, Tensor]) -> None:
    for name, module in job.modules.items():
        module.load_state_dict(_under(tensors, f"module/{name}/"))
    for name, optimiser in job.optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, f"optimiser/{name}/").items():
            number, field_name = key.split("/")
            state.setdefault(int(number), {})[field_name] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
