"""Each private person's photographs, divided into train and test in a fixed proportion."""

import numpy as np
from numpy.typing import NDArray

from facecrafter.errors import SplitError
from facecrafter.randomness import permutation, stream

SPLIT_SEED = 0  # ours: the paper names none
Share = tuple[int, int]  # (2, 3): two of three photographs are for training


def training(
    identities: NDArray[np.int64], people: NDArray[np.int64], share: Share, purpose: str
) -> NDArray[np.bool_]:
    """Which photographs of these people are for training; all others of theirs are for the test.

    The choice depends on a person's number, on how many photographs there are, and on nothing
    else. Raises `SplitError` for a person with too few photographs for both.
    """
    train = np.zeros(len(identities), dtype=np.bool_)
    for person in people:
        own = np.flatnonzero(identities == person)
        count = len(own) * share[0] // share[1]
        if not 0 < count < len(own):
            raise SplitError(
                f"person number {person} has {len(own)} photographs: divided {share[0]} to "
                f"{share[1] - share[0]}, one side has none. Leave this person out."
            )
        order = permutation(len(own), stream(SPLIT_SEED, purpose, int(person))).numpy()
        train[own[order[:count]]] = True
    return train
