"""Pictures for people: sheets of faces and curves of losses, as PNG files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from facecrafter.types import Images

GAP = 2  # pixels between faces
POINTS = 2000  # of a curve at most; more than a picture has pixels


def sheet(images: Images, columns: int = 8, scale: int = 1) -> Image.Image:
    """Faces in rows of `columns`, RGB, 0 to 1."""
    count, _, height, width = images.shape
    rows = math.ceil(count / columns)
    canvas = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    pixels = (images.detach().float().cpu().clamp(0, 1) * 255).round().byte().numpy()
    for i, face in enumerate(pixels.transpose(0, 2, 3, 1)):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        canvas[top : top + height, left : left + width] = face
    picture = Image.fromarray(canvas)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def curves(history: Sequence[Mapping[str, float]], path: Path, title: str) -> None:
    """One small plot for each loss over the steps, smoothed over a fiftieth of the run."""
    names = sorted({name for row in history for name in row} - {"step"})
    if not names:
        return
    figure = Figure(figsize=(4 * len(names), 3), layout="constrained")
    plots = np.atleast_1d(figure.subplots(1, len(names)))
    for plot, name in zip(plots, names, strict=True):
        steps, values = zip(
            *((row["step"], row[name]) for row in history if name in row), strict=True
        )
        every = len(steps) // POINTS + 1
        plot.plot(steps[::every], _smoothed(np.asarray(values))[::every])
        plot.set(title=name, xlabel="step")
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Mean over a window of a fiftieth of the run, cut off at the ends; linear in its length."""
    half = len(values) // 100
    total = np.concatenate([[0.0], np.cumsum(values)])
    middle = np.arange(len(values))
    first, last = np.maximum(middle - half, 0), np.minimum(middle + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)
