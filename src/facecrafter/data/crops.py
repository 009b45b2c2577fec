"""Photographs to crops: decode, turn upright, cut, scale; kept as one memory-mapped file."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from facecrafter.errors import SettingError, UnreadableImage

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
LARGEST = 64_000_000  # pixels; ours: above it a file is more likely an attack than a photograph


@dataclass(frozen=True)
class Crop:
    """The central square of `side` pixels, scaled to `size`; `side=None` takes the largest."""

    size: int = 64  # pixels; paper, VI-A (CelebA)
    side: int | None = None  # pixels of the photograph

    def __post_init__(self) -> None:
        if not self.size >= 8 or (self.side is not None and not self.side >= 8):
            raise SettingError(f"{self} is too small: a face needs 8 pixels or more.")


def read(path: Path, crop: Crop) -> NDArray[np.uint8]:
    """One photograph as a crop, (3, size, size), RGB, 0 to 255.

    Grey, palette and transparent images become RGB; EXIF rotation is applied. Raises
    `UnreadableImage`, naming the file, where it cannot be decoded or is smaller than the crop.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > LARGEST:
                raise UnreadableImage(
                    f"{path.name} has {opened.width} x {opened.height} pixels, over the limit of "
                    f"{LARGEST:,}. Scale it down first."
                )
            picture = _flattened(ImageOps.exif_transpose(opened))
    except UnreadableImage:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImage(
            f"{path.name} cannot be read as a photograph ({error or type(error).__name__}). "
            "Replace or remove the file."
        ) from error
    return _cut(picture, crop, path.name)


def _flattened(picture: Image.Image) -> Image.Image:
    """RGB; what is transparent lies on white."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _cut(picture: Image.Image, crop: Crop, name: str) -> NDArray[np.uint8]:
    side = crop.side or min(picture.size)
    if min(picture.size) < max(side, 8):
        raise UnreadableImage(
            f"{name} is {picture.width} x {picture.height} pixels, smaller than the crop of "
            f"{max(side, 8)}. Use a larger photograph or a smaller crop."
        )
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    scaled = square.resize((crop.size, crop.size), Image.Resampling.LANCZOS)
    return np.asarray(scaled, dtype=np.uint8).transpose(2, 0, 1)


def crops(paths: Sequence[Path], crop: Crop, cache: Path | None = None) -> NDArray[np.uint8]:
    """All photographs as crops; with a `cache` folder, decoded once and memory-mapped after.

    The cache's name holds the files' names, sizes and times, so a changed photograph is read anew.
    """
    if cache is None:
        return np.stack([read(path, crop) for path in paths])
    target = cache / f"crops-{_key(paths, crop)}.npy"
    if not target.exists():
        _write(paths, crop, target)
    return np.load(target, mmap_mode="r")


def _key(paths: Sequence[Path], crop: Crop) -> str:
    digest = hashlib.sha256(repr(crop).encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _write(paths: Sequence[Path], crop: Crop, target: Path) -> None:
    """Write beside, then rename: a reader sees a whole file or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".npy.partial")
    os.close(handle)
    partial = Path(name)
    try:
        shape = (len(paths), 3, crop.size, crop.size)
        out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for i, path in enumerate(paths):
            out[i] = read(path, crop)
        out.flush()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
