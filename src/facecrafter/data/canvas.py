"""Where a synthetic face is painted, and where the points of a head come to lie on it.

Lengths are in half frames: the frame goes from -1 to 1, right and down, and the head stands around
(0, 0). A point of the face lies on an ellipsoid, so a turned head moves its nose more than its
ears. All proportions are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from facecrafter.data.traits import HAIR, SKIN, Colour, Person, View

Values = NDArray[np.float64]  # (points,)
Points = NDArray[np.float64]  # (points, 2)

ARC = np.linspace(0, np.pi, 25)
ROUND = np.linspace(0, 2 * np.pi, 24, endpoint=False)
ACROSS = np.linspace(-1, 1, 15)  # from one corner of an eye or mouth to the other


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """A share of the other colour in the one."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def skin_of(who: Person) -> Colour:
    """From pale to dark along SKIN."""
    place = who.skin * (len(SKIN) - 1)
    first = min(int(place), len(SKIN) - 2)
    return mixed(SKIN[first], SKIN[first + 1], place - first)


def hair_of(who: Person) -> Colour:
    """The person's own shade of their hair's colour."""
    goal = (255.0, 236.0, 214.0) if who.hair_shade > 0 else (0.0, 0.0, 0.0)
    return mixed(HAIR[who.hair_colour], goal, abs(who.hair_shade) * 0.12)


def line(x: Values, y: Values) -> Points:
    """Points from their two coordinates."""
    return np.stack([x, y], axis=1)


def oval(x: float, y: float, width: float, height: float) -> Points:
    """An ellipse of half these axes' lengths around (x, y)."""
    return line(x + width * np.cos(ROUND), y + height * np.sin(ROUND))


@dataclass(frozen=True)
class Canvas:
    """Where a face is painted: the picture and where the head's points come to lie."""

    draw: ImageDraw.ImageDraw
    side: int  # painted pixels
    who: Person
    seen: View

    def at(self, points: Points, lift: float | None = None) -> Points:
        """Pixels of points: on the face, or, with `lift`, that far before the head's middle."""
        x, y = points[:, 0], points[:, 1]
        depth = np.full(len(points), lift) if lift is not None else self._depth(x, y)
        x = x * np.cos(self.seen.yaw) + depth * np.sin(self.seen.yaw)
        y = y + depth * np.sin(self.seen.pitch)
        return self._placed(x, y)

    def _depth(self, x: Values, y: Values) -> Values:
        width, height = self.who.head_width * 1.12, self.who.head_height * 1.12
        inside = 1 - (x / width) ** 2 - (y / height) ** 2
        return 0.75 * width * np.sqrt(np.maximum(inside, 0))

    def flat(self, points: Points) -> Points:
        """Pixels of points that do not turn with the head: its outline, its hair, the neck."""
        return self._placed(points[:, 0], points[:, 1])

    def _placed(self, x: Values, y: Values) -> Points:
        cos, sin = np.cos(self.seen.roll), np.sin(self.seen.roll)
        leaning = line(x * cos - y * sin, x * sin + y * cos) * self.seen.zoom
        return self.side / 2 * (1 + leaning + self.seen.shift)

    def fill(self, pixels: Points, colour: Colour) -> None:
        """A filled outline."""
        self.draw.polygon(pixels.ravel().tolist(), fill=_whole(colour))

    def stroke(self, pixels: Points, colour: Colour, width: float) -> None:
        """A line of this width, in half frames."""
        thick = max(round(width * self.side / 2), 1)
        self.draw.line(pixels.ravel().tolist(), fill=_whole(colour), width=thick, joint="curve")


def _whole(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(max(round(value), 0), 255) for value in colour)
    return red, green, blue


def outline(who: Person) -> Points:
    """The head's: half an ellipse above, below it a jaw between square and pointed."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    power = np.where(sin > 0, who.jaw, 1.0)
    x = who.head_width * np.sign(cos) * np.abs(cos) ** power
    return line(x * (1 - 0.10 * np.maximum(sin, 0) ** 2), who.head_height * sin)
