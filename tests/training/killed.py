"""Run by test_loop.py: a training killed with SIGKILL again and again, and one that was not.

    python killed.py FOLDER

Prints the SHA-256 of the weights and losses of both, and at how many places it was killed. Each
life of the training is a fork that dies at a chosen call: of a step, of a flush to the disk, or of
a renaming, so that every moment of writing a checkpoint is met.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facecrafter.progress import be_quiet
from facecrafter.randomness import stream
from facecrafter.training import loop

STEPS = 4


def job() -> loop.Job:
    """A network with everything that has a state: batch statistics, dropout, Adam's moments."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1)
    )
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)

    def step(i: int) -> loop.Losses:
        loss = network(torch.randn(16, 4, generator=stream(0, "batch", i))).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    return loop.Job("killed", STEPS, step, {"network": network}, {"adam": optimiser}, "recipe")


def outcome(made: loop.Job) -> str:
    """SHA-256 of the weights and of the losses of all steps."""
    digest = hashlib.sha256(json.dumps(made.history).encode())
    for value in made.modules["network"].state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def dies_at(call: int) -> None:
    """From now on the process kills itself at the so-manieth of the calls that matter."""
    left = [call]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*given, **named)

        return instead

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)
    torch.optim.Adam.step = counted(torch.optim.Adam.step)


def lives_and_dies(folder: Path, call: int) -> bool:
    """Whether the training was killed before its end."""
    life = os.fork()
    if life == 0:
        dies_at(call)
        loop.run(job(), folder, every=0.0)
        os._exit(0)
    _, status = os.waitpid(life, 0)
    return os.WIFSIGNALED(status)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    be_quiet()
    loop.curves = lambda *_: None  # slow, and of no matter here
    whole = job()
    loop.run(whole, folder / "whole", every=0.0)
    kills, call, found = 0, 0, set[str]()
    while lives_and_dies(folder / f"one{call}", call):  # killed once, at every place there is
        again = job()
        loop.run(again, folder / f"one{call}", every=0.0)
        found.add(outcome(again))
        kills, call = kills + 1, call + 1
    for call in (6, 8, 11):  # killed over and over; each life gets a little further
        while lives_and_dies(folder / f"many{call}", call):
            kills += 1
        again = job()
        loop.run(again, folder / f"many{call}", every=0.0)
        found.add(outcome(again))
    print(json.dumps({"whole": outcome(whole), "killed": sorted(found), "kills": kills}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
