"""A synthetic face, painted from its traits: shapes four times too large, scaled down, then lit."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from facecrafter.data import features, hair
from facecrafter.data.canvas import Canvas
from facecrafter.data.traits import Person, View

FINENESS = 4  # painted pixels for each pixel, both ways; ours
SMALLEST = 96  # painted pixels; ours: below, lines would be coarser than features
STRANGER = 4  # of 255; what differs more from the background belongs to the person; ours
_SEEN = [255 if value > STRANGER else 0 for value in range(256)]


def paint(who: Person, seen: View, size: int) -> NDArray[np.float64]:
    """The person as photographed, without noise; (size, size, 3), RGB, 0 to 255 or over."""
    fineness = max(FINENESS, math.ceil(SMALLEST / size))
    side = size * fineness
    corners = np.array(seen.background).reshape(2, 2, 3).round().astype(np.uint8)
    ground = Image.fromarray(corners).resize((side, side), Image.Resampling.BICUBIC)
    picture = ground.copy()
    _shapes(Canvas(ImageDraw.Draw(picture), side, who, seen))
    painted = np.asarray(picture.reduce(fineness), dtype=np.float64)
    changed = ImageChops.difference(picture, ground).convert("L").point(_SEEN)
    person = np.asarray(changed.reduce(fineness), dtype=np.float64) / 255
    tint = 1 + 0.06 * seen.warmth * np.array([1.0, 0.0, -1.0])
    shade = 1 + person * _shade(who, seen, size)
    return painted * (seen.exposure * shade[:, :, None] * tint)


def _shapes(canvas: Canvas) -> None:
    """From back to front."""
    hair.behind(canvas)
    features.body(canvas)
    features.ears(canvas)
    features.head(canvas)
    features.cheeks(canvas)
    features.beard(canvas)
    features.nose(canvas)
    features.mouth(canvas)
    features.moustache(canvas)
    features.eyes(canvas)
    features.wrinkles(canvas)
    hair.before(canvas)
    features.brows(canvas)
    features.earrings(canvas)
    features.glasses(canvas)


def _shade(who: Person, seen: View, size: int) -> NDArray[np.float64]:
    """How much lighter than painted each pixel is, (size, size); 0 = as painted.

    Lambert's law on the ellipsoid of the head, one light and some of it from everywhere.
    """
    step = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = (step - seen.shift[0])[None, :], (step - seen.shift[1])[:, None]
    cos, sin = math.cos(seen.roll), math.sin(seen.roll)
    across = (x * cos + y * sin) / seen.zoom / (who.head_width * 1.2)
    down = (y * cos - x * sin) / seen.zoom / (who.head_height * 1.2)
    toward = np.sqrt(np.maximum(1 - across**2 - down**2, 0.04))
    right, below = seen.light
    length = math.sqrt(right**2 + below**2 + 1)
    facing = (across * right + down * below + toward) / length
    return seen.strength * (1.35 * np.clip(facing, 0, 1.2) - 0.85)
