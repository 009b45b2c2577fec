"""How a generator of others frames a face: which part of its pictures is cropped as faces here are.

Data sets are cropped each in its own way, and a generator that shows a face a third smaller than
the photographs can explain no feature of theirs. So the average of its pictures is laid over the
average of public faces, and the square that fits best is kept.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facecrafter.errors import DataError
from facecrafter.training.stylegan import Box

PARTS = 32  # of a picture's side: the step of the first look
SMALLEST = 8  # parts; ours: less than a quarter of the side is no portrait


def framing(picture: Tensor, face: Tensor) -> tuple[Box, float]:
    """The square of `picture` that is most like `face`, and how like: Pearson's r over all values.

    `picture` (3, side, side), a power of 2 and no smaller than `face`, (3, size, size); the square
    (top, left, side) is no smaller than the face, pixels. Raises `DataError` for averages of one
    tone.
    """
    side, size = picture.shape[-1], face.shape[-1]
    step = max(side // PARTS, 1)
    least = max(SMALLEST * step, size)
    sizes = range(least, side + 1, step)
    found = _best(
        picture,
        face,
        [
            (top, left, one)
            for one in sizes
            for top in range(0, side - one + 1, step)
            for left in range(0, side - one + 1, step)
        ],
    )
    while step > 1:
        step //= 2
        found = _best(picture, face, _near(found[0], step, side, size))
    return found


def _near(box: Box, step: int, side: int, size: int) -> list[Box]:
    moves = (-step, 0, step)
    near = [(box[0] + a, box[1] + b, box[2] + c) for a in moves for b in moves for c in moves]
    return [
        one for one in near if min(one) >= 0 and one[2] >= size and max(one[:2]) + one[2] <= side
    ]


def _best(picture: Tensor, face: Tensor, boxes: list[Box]) -> tuple[Box, float]:
    """The first of the most like."""
    wanted = _standard(face)
    like = [float(_standard(cut(picture, box, face.shape[-1])) @ wanted) for box in boxes]
    best = max(range(len(boxes)), key=like.__getitem__)
    return boxes[best], like[best]


def cut(picture: Tensor, box: Box, size: int) -> Tensor:
    """The square of a picture (3, side, side) as a face (3, size, size), each pixel a mean."""
    top, left, side = box
    square = picture[None, :, top : top + side, left : left + side]
    return interpolate(square, size=size, mode="area")[0]


def _standard(face: Tensor) -> Tensor:
    """Its values less the mean of each channel, of length 1. Raises `DataError` for one tone."""
    less = (face - face.mean(dim=(1, 2), keepdim=True)).flatten().double()
    length = torch.linalg.vector_norm(less)
    if not length > 1e-9:
        raise DataError("an average of one tone shows no face: give public faces, or a box.")
    return less / length
