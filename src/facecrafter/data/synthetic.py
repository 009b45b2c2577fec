"""Faces of people who do not exist, painted by ourselves: for demos and tests without photographs.

A person is a fixed draw of traits, a photograph a draw of pose, light and expression; both come
from named streams, so person 7's photograph 3 is the same however many are asked for.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.data.division import training
from facecrafter.data.faces import Faces, Splits
from facecrafter.data.portrait import paint
from facecrafter.data.traits import Person, View, attributes, person, view
from facecrafter.errors import SettingError
from facecrafter.randomness import stream

SMALLEST = 16  # pixels; ours: below, no feature is left
SHARE = (2, 3)  # as LFW: paper, VI-A


def synthetic(
    seed: int,
    people: int = 40,  # ours
    photographs: int = 20,  # of each person; ours, as of a private person of LFW
    size: int = 64,  # pixels; paper, VI-A (CelebA)
) -> Faces:
    """`people` times `photographs` painted faces, person by person, with 25 attributes.

    Attributes bear CelebA's names and follow from what is painted. Every trait, and so every
    attribute of a person, is the same in all photographs but for Eyeglasses, Smiling and
    Mouth_Slightly_Open. Raises `SettingError` for a size below 16 pixels or a count below 1.
    """
    if not (people >= 1 and photographs >= 1):
        raise SettingError(f"{people} people with {photographs} photographs: ask for 1 or more.")
    if not size >= SMALLEST:
        raise SettingError(f"size is {size}: a painted face needs {SMALLEST} pixels or more.")
    pixels = np.empty((people * photographs, 3, size, size), np.uint8)
    rows: list[list[bool]] = []
    names: tuple[str, ...] = ()
    for number in range(people):
        who = person(seed, number)
        for photograph in range(photographs):
            seen = view(seed, number, photograph, who)
            rng = stream(seed, "synthetic noise", number, photograph)
            pixels[len(rows)] = _photograph(who, seen, size, rng)
            shown = attributes(who, seen)
            names = tuple(shown)
            rows.append(list(shown.values()))
    return Faces(
        pixels=pixels,
        identities=np.repeat(np.arange(people), photographs),
        attributes=np.array(rows, dtype=np.float32),
        attribute_names=names,
        names=tuple(f"{i // photographs:04}_{i % photographs:04}" for i in range(len(rows))),
        people=tuple(f"synthetic {number}" for number in range(people)),
    )


def synthetic_splits(
    seed: int,
    people: int = 40,  # ours
    photographs: int = 20,  # of each person; ours
    size: int = 64,  # pixels; paper, VI-A (CelebA)
    private_people: int = 10,  # ours
) -> Splits:
    """The same faces, divided as the paper divides LFW: the last people are private, 2:1."""
    if not 1 <= private_people < people:
        raise SettingError(
            f"private_people is {private_people} of {people}: take 1 or more, and leave someone "
            "public."
        )
    faces = synthetic(seed, people, photographs, size)
    private = np.arange(people - private_people, people)
    train = training(faces.identities, private, SHARE, "synthetic split")
    hidden = np.isin(faces.identities, private)
    return Splits(
        faces.take(np.flatnonzero(~hidden)),
        faces.take(np.flatnonzero(train)),
        faces.take(np.flatnonzero(hidden & ~train)),
    )


def _photograph(who: Person, seen: View, size: int, rng: torch.Generator) -> NDArray[np.uint8]:
    """(3, size, size), RGB, 0 to 255."""
    noise = torch.randn(size, size, 3, generator=rng).numpy() * seen.noise
    noisy = np.rint(paint(who, seen, size) + noise)
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(2, 0, 1)
