"""The same photograph on two sides: found by a short digest, then by the pixels themselves."""

import hashlib
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facecrafter.data.pixels import Pixels

Place = tuple[int, int]  # number of the side, number of the crop on it


def digests(pixels: Pixels) -> NDArray[np.uint64]:
    """Eight bytes for each crop; reads in pieces."""
    out = np.empty(len(pixels), np.uint64)
    done = 0
    for piece in pixels.pieces():
        for crop in piece:
            short = hashlib.blake2b(crop.data, digest_size=8).digest()
            out[done] = int.from_bytes(short, "little")
            done += 1
    return out


def shared(*sides: Pixels) -> list[tuple[Place, Place]]:
    """Pairs of places with equal pixels, each on two sides; one pair for each such crop."""
    known = [digests(side) for side in sides]
    pairs: list[tuple[Place, Place]] = []
    for first, second in combinations(range(len(sides)), 2):
        one, other = sides[first], sides[second]
        _, left, right = np.intersect1d(known[first], known[second], return_indices=True)
        for i, j in sorted(zip(left.tolist(), right.tolist(), strict=True)):
            if np.array_equal(one[i], other[j]):  # digests may agree by chance, pixels may not
                pairs.append(((first, i), (second, j)))
    return pairs


def not_among(pixels: Pixels, *others: Pixels) -> NDArray[np.int64]:
    """Numbers of the crops whose pixels none of the others holds."""
    known = np.concatenate([digests(other) for other in others])
    return np.flatnonzero(~np.isin(digests(pixels), known))
