"""Faces and how they are kept apart.

`Faces` is a set of crops with what is known of them. Pixels may be a memory map, so 200,000
photographs need no more memory than the batch in hand.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.data.duplicates import not_among, shared
from facecrafter.data.pixels import Index, Pixels
from facecrafter.errors import DataError, SettingError, SplitError
from facecrafter.randomness import permutation, stream
from facecrafter.types import Images

NO_IDENTITY = -1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Faces:
    """Crops of one size and what is known of each; `len(faces)` photographs.

    An array given as `pixels` becomes a `Pixels` view. Raises `DataError` where the parts disagree
    in length or shape.
    """

    pixels: NDArray[np.uint8] | Pixels  # (photographs, 3, height, width), RGB, 0 to 255
    identities: NDArray[np.int64]  # person's number from 0; -1 = not known
    attributes: NDArray[np.float32]  # (photographs, attributes), probability, 0 to 1
    attribute_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of files, for error messages; never sent anywhere
    people: tuple[str, ...] = ()  # people[identity]
    emotions: tuple[str, ...] = field(default=())  # one word per photograph; "" = not known

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", Pixels.of(self.pixels))
        if self.pixels.ndim != 4 or self.pixels.shape[1] != 3 or self.pixels.dtype != np.uint8:
            raise DataError(
                f"pixels are {self.pixels.dtype} {self.pixels.shape}; faces are uint8 "
                "(photographs, 3, height, width). Convert with facecrafter.data.folder."
            )
        self._refuse_other_lengths()
        self._refuse_strangers()

    def _refuse_other_lengths(self) -> None:
        count = len(self)
        if len(self.identities) != count or self.attributes.shape != (
            count,
            len(self.attribute_names),
        ):
            raise DataError(
                f"{count} photographs, {len(self.identities)} identities and attributes of shape "
                f"{self.attributes.shape} for {len(self.attribute_names)} names do not belong "
                "together: give one row for each photograph."
            )
        for what, given in (("names", self.names), ("emotions", self.emotions)):
            if len(given) not in (0, count):
                raise DataError(
                    f"{len(given)} {what} for {count} photographs: give one for each, or none."
                )

    def _refuse_strangers(self) -> None:
        if not len(self):
            return
        lowest, highest = int(self.identities.min()), int(self.identities.max())
        if not lowest >= NO_IDENTITY or (self.people and not highest < len(self.people)):
            raise DataError(
                f"identities go from {lowest} to {highest} for {len(self.people)} named people: "
                "they count from 0, and -1 stands for a person who is not known. Subtract 1 where "
                "a file counts from 1."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Height of the crops in pixels."""
        return self.pixels.shape[2]

    def images(self, index: Index = slice(None)) -> Images:
        """The chosen photographs, RGB, 0 to 1; reads these and no others."""
        return torch.from_numpy(Pixels.of(self.pixels)[index]).float() / 255

    def take(self, index: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> "Faces":
        """The chosen photographs as faces of their own; people keep their numbers.

        Reads no pixel: the new faces look into the same array or memory map.
        """
        chosen = np.asarray(index)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return replace(
            self,
            pixels=Pixels.of(self.pixels).take(chosen),
            identities=self.identities[chosen],
            attributes=self.attributes[chosen],
            names=tuple(self.names[i] for i in chosen) if self.names else (),
            emotions=tuple(self.emotions[i] for i in chosen) if self.emotions else (),
        )

    def attribute(self, name: str) -> NDArray[np.float32]:
        """One attribute of each photograph, probability, 0 to 1; NaN = not known."""
        return self.attributes[:, self._column(name)]

    def only(self, names: Sequence[str]) -> "Faces":
        """The same faces with these attributes alone, in this order: the paper's 10 of LFW."""
        columns = [self._column(name) for name in names]
        return replace(self, attributes=self.attributes[:, columns], attribute_names=tuple(names))

    def _column(self, name: str) -> int:
        if name not in self.attribute_names:
            known = ", ".join(self.attribute_names) or "none"
            raise SettingError(f"no attribute is called {name!r}. These faces have: {known}.")
        return self.attribute_names.index(name)

    def known(self) -> NDArray[np.int64]:
        """Numbers of the photographs whose attributes are known."""
        return np.flatnonzero(np.isfinite(self.attributes).all(axis=1))

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each colour, 0 to 1; reads in pieces."""
        counts = np.zeros((3, 256))
        for piece in Pixels.of(self.pixels).pieces():
            for colour in range(3):
                counts[colour] += np.bincount(piece[:, colour].ravel(), minlength=256)
        weights = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        values = np.arange(256) / 255
        mean = weights @ values
        return mean, np.sqrt((weights * (values - mean[:, None]) ** 2).sum(axis=1))


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
        both = sorted(_who(self.public).keys() & private.keys())
        if both:
            raise SplitError(
                f"{len(both)} people are both public and private, for one {both[0]!r}: the "
                "attacker may know no private person (III-B). Move each person to one side."
            )
        _refuse_duplicates(self.public, self.private_train, self.private_test)

    def normalised(self) -> Faces:
        """Public faces with the private ones' pixel mean and variance (IV-D)."""
        return matched(self.public, self.private_train)

    def exposed(self, share: float) -> Faces:
        """Some of each private person's train photographs, which an attacker got (VI-F).

        `share` of them, above 0 to 1, rounded up; which is fixed. Raises `SettingError`.
        """
        if not 0 < share <= 1:
            raise SettingError(f"share={share} of exposed photographs: give above 0, at most 1.")
        faces, chosen = self.private_train, list[int]()
        for person in np.unique(faces.identities):
            own = np.flatnonzero(faces.identities == person)
            order = permutation(len(own), stream(0, "exposed photographs", int(person))).numpy()
            chosen.extend(own[order[: ceil(len(own) * share)]].tolist())
        return faces.take(sorted(chosen))


def joined(first: Faces, second: Faces) -> Faces:
    """Both as one, with pixels and attributes alone: who they are is left out.

    Holds all pixels in memory: 12 kB for each photograph of 64 x 64. Raises `DataError` where they
    are of two sizes or have other attributes.
    """
    if first.attribute_names != second.attribute_names or first.size != second.size:
        raise DataError(
            f"faces of {first.size} pixels with {len(first.attribute_names)} attributes and faces "
            f"of {second.size} with {len(second.attribute_names)} are not joined: take both from "
            "one data set."
        )
    return Faces(
        np.concatenate([np.asarray(first.pixels), np.asarray(second.pixels)]),
        np.full(len(first) + len(second), NO_IDENTITY, dtype=np.int64),
        np.concatenate([first.attributes, second.attributes]),
        first.attribute_names,
    )


def apart(public: Faces, private_train: Faces, private_test: Faces) -> Splits:
    """Splits without photographs that stand on two sides, as published data sets hold some.

    Such a photograph stays in the private test set, else in private train; the rest is the same.
    How many were left out is logged as a warning.
    """
    test = Pixels.of(private_test.pixels)
    train = private_train.take(not_among(Pixels.of(private_train.pixels), test))
    rest = public.take(not_among(Pixels.of(public.pixels), test, Pixels.of(train.pixels)))
    gone = len(public) - len(rest) + len(private_train) - len(train)
    if gone:
        _log.warning("left out %d photographs that stand on two sides of the split", gone)
    return Splits(rest, train, private_test)


def matched(faces: Faces, to: Faces) -> Faces:
    """`faces` shifted and scaled to the pixel mean and deviation of `to`, per colour (IV-D).

    A table of 256 values for each colour, applied as pixels are read.
    """
    mean, deviation = faces.statistics()
    goal_mean, goal_deviation = to.statistics()
    if not (deviation > 0).all():
        raise DataError(
            f"the deviation of a colour over {len(faces)} faces is {deviation}: one colour cannot "
            "be scaled. Give more than one photograph."
        )
    values = np.arange(256) / 255.0
    scale = (goal_deviation / deviation)[:, None]
    table = (values - mean[:, None]) * scale + goal_mean[:, None]
    rounded = np.rint(np.clip(table, 0, 1) * 255).astype(np.uint8)
    return replace(faces, pixels=Pixels.of(faces.pixels).coloured(rounded))


def _who(faces: Faces) -> dict[str, int]:
    """Names of the people shown, or their numbers where no names are given."""
    numbers = np.unique(faces.identities[faces.identities != NO_IDENTITY])
    return {faces.people[i] if faces.people else str(i): int(i) for i in numbers}


def _refuse_duplicates(*sides: Faces) -> None:
    pairs = shared(*(Pixels.of(side.pixels) for side in sides))
    if pairs:
        (first, i), (second, j) = pairs[0]
        raise SplitError(
            f"one photograph stands on two sides: {_name(sides[first], i)} and "
            f"{_name(sides[second], j)} have the same pixels ({len(pairs)} such in all). "
            "Remove one of them, or let facecrafter.data.faces.apart do it."
        )


def _name(faces: Faces, index: int) -> str:
    return faces.names[index] if faces.names else f"number {index}"
