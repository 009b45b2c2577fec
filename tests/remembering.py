"""Clients of one memory, for processes of their own that are killed: they import this."""

import hashlib
import os
import resource
from pathlib import Path

import torch

from facecrafter.defences.base import AbstractProtector, Offline
from facecrafter.defences.noise import Noise
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import NotProtected
from facecrafter.models.prior import Prior
from facecrafter.randomness import secret, stream

SIDE = 8


def photographs(numbers: list[int]) -> torch.Tensor:
    """Photograph i is the same wherever it is asked for."""
    return torch.stack(
        [torch.rand(3, SIDE, SIDE, generator=stream(i, "remembered")) for i in numbers]
    )


def remembering(memory: Path | None) -> AbstractProtector:
    """Noise that no two craftings share, remembered."""
    offline = Offline(lambda images: images * 2, Prior(2, 1, SIDE))
    return Remembered(Noise(1.0), memory).fit(offline, secret())


def digest(feature: torch.Tensor) -> str:
    """What the recipient could compare."""
    return hashlib.sha256(feature.contiguous().numpy().tobytes()).hexdigest()


def client(memory: Path, log: Path, batches: list[list[int]]) -> None:
    """Protect one batch after the other, noting each feature once it is in the caller's hands."""
    protector = remembering(memory)
    with log.open("a") as notes:
        for numbers in batches:
            features = protector(photographs(numbers), secret()).features
            for number, feature in zip(numbers, features, strict=True):
                notes.write(f"{number} {digest(feature)}\n")
            notes.flush()


def client_on_a_full_disk(memory: Path, log: Path) -> None:
    """Files cannot grow further, as on a full disk: notes what came of it."""
    torch.set_num_threads(1)
    protector = remembering(memory)
    largest = max(file.stat().st_size for file in memory.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    try:
        outcome = f"released {len(protector(photographs(list(range(100, 164))), secret()).order)}"
    except NotProtected as error:
        outcome = f"refused: {error}"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, outcome.encode())
    os.close(descriptor)
