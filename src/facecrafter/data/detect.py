"""Where the face is: OpenCV's Haar cascade, for photographs that are not cropped yet.

Needs the extra `detect` (opencv-python-headless below 5: version 5 carries no cascade).
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facecrafter.errors import DataError, UnreadableImage

CASCADE = "haarcascade_frontalface_default.xml"  # carried by opencv-python-headless 4
SCALE = 1.1  # ours: OpenCV's default
NEIGHBOURS = 5  # ours: OpenCV's default of 3 sees faces in curtains
SMALLEST = 24  # pixels; the window on which the cascade was trained
MARGIN = 1.4  # ours: side of the crop over side of the found square, as our crop of LFW has it
LONGEST = 1024  # pixels; ours: larger photographs are searched at this size, for speed

Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels


def largest_face(photograph: Image.Image, name: str = "the photograph") -> Box:
    """The square around the largest face, with hair and chin, within the photograph.

    Raises `UnreadableImage` where no face is found, `DataError` where OpenCV is not installed.
    """
    cascade = _cascade()
    shrink = max(max(photograph.size) / LONGEST, 1.0)
    small = photograph.convert("L").resize([max(round(n / shrink), 1) for n in photograph.size])
    found = cascade.detectMultiScale(
        np.asarray(small), scaleFactor=SCALE, minNeighbors=NEIGHBOURS, minSize=(SMALLEST, SMALLEST)
    )
    if len(found) == 0:
        raise UnreadableImage(
            f"no face is found in {name}: the detector knows upright faces that look at the "
            f"camera and are {SMALLEST} pixels wide or more. Crop it by hand."
        )
    left, top, width, height = max(found, key=lambda box: box[2] * box[3])
    middle = (float(left + width / 2) * shrink, float(top + height / 2) * shrink)
    return _square(middle, float(width) * shrink * MARGIN, photograph.size)


def _square(middle: tuple[float, float], side: float, size: tuple[int, int]) -> Box:
    """A square of this side as near to the middle as fits into the photograph."""
    edge = min(round(side), *size)
    left, top = (
        min(max(round(centre - edge / 2), 0), whole - edge)
        for centre, whole in zip(middle, size, strict=True)
    )
    return left, top, left + edge, top + edge


def _cascade() -> Any:
    try:
        cv2: Any = import_module("cv2")
        path = Path(cv2.data.haarcascades) / CASCADE
    except (ImportError, AttributeError) as error:
        raise DataError(
            "finding faces needs OpenCV 4 with its cascades, which is not installed. Run: "
            "pip install 'facecrafter[detect]'"
        ) from error
    # one for each call: a cascade must not be used by two threads at a time
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise DataError(
            f"OpenCV cannot load {CASCADE}. Install it anew: pip install --force-reinstall "
            "'opencv-python-headless<5'"
        )
    return cascade
