"""One named stream of random numbers per purpose, so that no purpose disturbs another.

Numbers are drawn on the CPU and moved, so that a CPU and a GPU see the same ones.
"""

import hashlib
import secrets

import torch
from torch import Generator, Tensor


def stream(seed: int, *purpose: str | int) -> Generator:
    """A generator for one purpose: `stream(0, "defence")`, `stream(0, "epoch", 3)`."""
    name = "/".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def child(rng: Generator, *purpose: str | int) -> Generator:
    """A stream that depends on where `rng` stands, without drawing from it."""
    state = hashlib.sha256(rng.get_state().numpy().tobytes()).digest()
    return stream(int.from_bytes(state[:8], "little"), *purpose)


def secret() -> Generator:
    """A generator that the operating system seeds: for what an adversary must not guess."""
    return torch.Generator("cpu").manual_seed(secrets.randbits(63))


def normal(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Standard normal numbers of a shape, on the device and of the type of `like`."""
    return torch.randn(*shape, generator=rng).to(device=like.device, dtype=like.dtype)


def permutation(count: int, rng: Generator) -> Tensor:
    """A uniformly random order of `count` things, on the CPU."""
    return torch.randperm(count, generator=rng)
