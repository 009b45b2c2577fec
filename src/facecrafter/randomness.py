"""One named stream of random numbers per purpose, so that no purpose disturbs another.

Numbers are drawn on the CPU and moved, so that a CPU and a GPU see the same ones.
"""

import hashlib
import os

import numpy as np
import torch
from torch import Generator, Tensor

_HEADER, _WORDS = 24, 624  # of the state of torch's CPU generator, a Mersenne twister


def stream(seed: int, *purpose: str | int) -> Generator:
    """A generator for one purpose: `stream(0, "defence")`, `stream(0, "epoch", 3)`.

    For experiments, which must be repeatable. What must not be guessed starts from `secret`.
    """
    name = "/".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def secret() -> Generator:
    """A generator that nobody can repeat, from the operating system: for what must stay secret."""
    return _from(os.urandom(32))


def child(rng: Generator, *purpose: str | int) -> Generator:
    """A stream that depends on where `rng` stands, without drawing from it.

    It is as hard to guess as `rng` is.
    """
    digest = hashlib.sha256(rng.get_state().numpy().tobytes())
    digest.update("/".join(str(part) for part in purpose).encode())
    return _from(digest.digest())


def normal(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Standard normal numbers of a shape, on the device and of the type of `like`."""
    return torch.randn(*shape, generator=rng).to(device=like.device, dtype=like.dtype)


def permutation(count: int, rng: Generator) -> Tensor:
    """A uniformly random order of `count` things, on the CPU."""
    return torch.randperm(count, generator=rng)


def _from(material: bytes) -> Generator:
    """A generator whose whole state follows from `material`.

    torch keeps 32 bits of a seed, few enough to try all; so the state is written word by word.
    """
    rng = torch.Generator("cpu").manual_seed(int.from_bytes(material[:4], "little"))
    state = rng.get_state()
    drawn = np.frombuffer(hashlib.shake_256(material).digest(4 * _WORDS), dtype="<u4")
    words = state[_HEADER : _HEADER + 8 * _WORDS].numpy().view("<u8")
    words[:] = drawn
    rng.set_state(state)
    return rng
