"""Faces and how they are kept apart.

`Faces` is a set of crops with what is known of them. Pixels may be a memory map, so 200,000
photographs need no more memory than the batch in hand.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.errors import DataError, SplitError
from facecrafter.types import Images

NO_IDENTITY = -1


@dataclass(frozen=True, eq=False)
class Faces:
    """Crops of one size and what is known of each; `len(faces)` photographs.

    Raises `DataError` where the parts disagree in length or shape.
    """

    pixels: NDArray[np.uint8]  # (photographs, 3, height, width), RGB, 0 to 255
    identities: NDArray[np.int64]  # person's number from 0; -1 = not known
    attributes: NDArray[np.float32]  # (photographs, attributes), probability, 0 to 1
    attribute_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of files, for error messages; never sent anywhere
    people: tuple[str, ...] = ()  # people[identity]
    emotions: tuple[str, ...] = field(default=())  # one word per photograph; "" = not known

    def __post_init__(self) -> None:
        count = len(self.pixels)
        if self.pixels.ndim != 4 or self.pixels.shape[1] != 3 or self.pixels.dtype != np.uint8:
            raise DataError(
                f"pixels are {self.pixels.dtype} {self.pixels.shape}; faces are uint8 "
                "(photographs, 3, height, width). Convert with facecrafter.data.folder."
            )
        if len(self.identities) != count or self.attributes.shape != (
            count,
            len(self.attribute_names),
        ):
            raise DataError(
                f"{count} photographs, {len(self.identities)} identities and attributes of shape "
                f"{self.attributes.shape} for {len(self.attribute_names)} names do not belong "
                "together: give one row for each photograph."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Height of the crops in pixels."""
        return self.pixels.shape[2]

    def images(self, index: Sequence[int] | NDArray[np.int64] | slice = slice(None)) -> Images:
        """The chosen photographs, RGB, 0 to 1."""
        chosen = np.ascontiguousarray(self.pixels[index])
        return torch.from_numpy(chosen).float() / 255

    def take(self, index: Sequence[int] | NDArray[np.int64]) -> "Faces":
        """The chosen photographs as faces of their own; people keep their numbers."""
        chosen = np.asarray(index, dtype=np.int64)
        return Faces(
            pixels=self.pixels[chosen],
            identities=self.identities[chosen],
            attributes=self.attributes[chosen],
            attribute_names=self.attribute_names,
            names=tuple(self.names[i] for i in chosen) if self.names else (),
            people=self.people,
            emotions=tuple(self.emotions[i] for i in chosen) if self.emotions else (),
        )

    def known(self) -> NDArray[np.int64]:
        """Numbers of the photographs whose attributes are known."""
        return np.flatnonzero(np.isfinite(self.attributes).all(axis=1))

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each colour, 0 to 1; reads in pieces."""
        total, squares, count = np.zeros(3), np.zeros(3), 0
        for start in range(0, len(self), 1024):
            piece = self.pixels[start : start + 1024].astype(np.float64) / 255
            total += piece.sum(axis=(0, 2, 3))
            squares += (piece**2).sum(axis=(0, 2, 3))
            count += piece.size // 3
        mean = total / count
        return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


@dataclass(frozen=True, eq=False)
class Splits:
    """Public faces for the attacker and the trusted party, private ones for the users (III-B).

    Raises `SplitError` if a person or a photograph is on both sides: a figure measured on such a
    split would say nothing.
    """

    public: Faces
    private_train: Faces
    private_test: Faces

    def __post_init__(self) -> None:
        private = {**_who(self.private_train), **_who(self.private_test)}
        shared = sorted(_who(self.public).keys() & private.keys())
        if shared:
            raise SplitError(
                f"{len(shared)} people are both public and private, for one {shared[0]!r}: the "
                "attacker may know no private person (III-B). Move each person to one side."
            )
        _refuse_duplicates(self.public, self.private_train, self.private_test)

    def normalised(self) -> Faces:
        """Public faces with the private ones' pixel mean and variance (IV-D)."""
        return matched(self.public, self.private_train)


def matched(faces: Faces, to: Faces) -> Faces:
    """`faces` shifted and scaled to the pixel mean and deviation of `to`, per colour (IV-D)."""
    mean, deviation = faces.statistics()
    goal_mean, goal_deviation = to.statistics()
    if not (deviation > 0).all():
        raise DataError(
            f"the deviation of a colour over {len(faces)} faces is {deviation}: one colour cannot "
            "be scaled. Give more than one photograph."
        )
    shape = (1, 3, 1, 1)
    pixels = np.empty(faces.pixels.shape, np.uint8)
    for start in range(0, len(faces), 1024):
        piece = faces.pixels[start : start + 1024] / 255.0
        piece = (piece - mean.reshape(shape)) * (goal_deviation / deviation).reshape(shape)
        piece = piece + goal_mean.reshape(shape)
        pixels[start : start + 1024] = np.rint(np.clip(piece, 0, 1) * 255).astype(np.uint8)
    return Faces(
        pixels=pixels,
        identities=faces.identities,
        attributes=faces.attributes,
        attribute_names=faces.attribute_names,
        names=faces.names,
        people=faces.people,
        emotions=faces.emotions,
    )


def _who(faces: Faces) -> dict[str, int]:
    """Names of the people shown, or their numbers where no names are given."""
    numbers = np.unique(faces.identities[faces.identities != NO_IDENTITY])
    return {faces.people[i] if faces.people else str(i): int(i) for i in numbers}


def _refuse_duplicates(*sides: Faces) -> None:
    seen: dict[bytes, tuple[int, int]] = {}
    for side, faces in enumerate(sides):
        for i in range(len(faces)):
            digest = hashlib.sha256(faces.pixels[i].tobytes()).digest()
            first = seen.setdefault(digest, (side, i))
            if first[0] != side:
                raise SplitError(
                    f"one photograph stands on two sides: {_name(sides[first[0]], first[1])} and "
                    f"{_name(faces, i)} have the same pixels. Remove one of them."
                )


def _name(faces: Faces, index: int) -> str:
    return faces.names[index] if faces.names else f"number {index}"
