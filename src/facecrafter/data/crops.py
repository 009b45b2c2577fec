"""Photographs to crops: decode, turn upright, cut, scale; kept as one memory-mapped file."""

import hashlib
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from facecrafter.data.detect import largest_face
from facecrafter.errors import DataError, SettingError, UnreadableImage
from facecrafter.progress import progress

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # no other decoder of Pillow sees what is given
LARGEST = 64_000_000  # pixels; ours: above it a file is more likely an attack than a photograph
SMALLEST = 8  # pixels; ours
AT_ONCE = 128  # photographs decoded between two writes; ours: what Ctrl-C waits for

# what Pillow raises on damaged files, found by damaging files; KeyboardInterrupt is not among them
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True)
class Crop:
    """The central square of `side` pixels, scaled to `size`; `side=None` takes the largest.

    With `face` it is the square around the largest face instead (extra `detect`).
    """

    size: int = 64  # pixels; paper, VI-A (CelebA)
    side: int | None = None  # pixels of the photograph
    face: bool = False

    def __post_init__(self) -> None:
        if not self.size >= SMALLEST or (self.side is not None and not self.side >= SMALLEST):
            raise SettingError(f"{self} is too small: a face needs {SMALLEST} pixels or more.")


def read(path: Path, crop: Crop) -> NDArray[np.uint8]:
    """One photograph as a crop, (3, size, size), RGB, 0 to 255.

    Grey, 16-bit, CMYK, palette and transparent images become RGB; EXIF rotation is applied. Raises
    `UnreadableImage`, naming the file, where it cannot be decoded or is smaller than the crop.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            # the header alone is read so far: a bomb is refused before it is unpacked
            if opened.width * opened.height > LARGEST:
                raise UnreadableImage(_too_large(path, f"{opened.width} x {opened.height} pixels"))
            picture = _flattened(ImageOps.exif_transpose(opened))
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableImage(_too_large(path, "too many pixels")) from None
    except _DAMAGE as error:
        raise UnreadableImage(
            f"{path.name} cannot be read as a photograph ({_reason(path, error)}). "
            "Replace or remove the file."
        ) from None
    return _cut(picture, crop, path.name)


def _too_large(path: Path, what: str) -> str:
    return f"{path.name} has {what}, over the limit of {LARGEST:,}. Scale it down first."


def _reason(path: Path, error: BaseException) -> str:
    """What is wrong, without the folder's name, which Pillow's messages hold."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, PermissionError):
        return "it may not be opened"
    if path.is_file() and path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"its content is none of {', '.join(FORMATS)}"
    return str(error).replace(str(path), path.name) or type(error).__name__


def _flattened(picture: Image.Image) -> Image.Image:
    """RGB; what is transparent lies on white."""
    if picture.mode.startswith(("I", "F")):
        return _eight_bits(picture).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits or more as grey of 8; Pillow's own conversion cuts off at 255."""
    values = np.asarray(picture).astype(np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 65535):
        raise ValueError(f"grey values from {values.min():g} to {values.max():g}, not 0 to 65535")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _cut(picture: Image.Image, crop: Crop, name: str) -> NDArray[np.uint8]:
    if crop.face:
        box = largest_face(picture, name)
        picture = picture.crop(box)
    side = crop.side or min(picture.size)
    if min(picture.size) < max(side, SMALLEST):
        raise UnreadableImage(
            f"{name} is {picture.width} x {picture.height} pixels, smaller than the crop of "
            f"{max(side, SMALLEST)}. Use a larger photograph or a smaller crop."
        )
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    scaled = square.resize((crop.size, crop.size), Image.Resampling.LANCZOS)
    return np.asarray(scaled, dtype=np.uint8).transpose(2, 0, 1)


def crops(paths: Sequence[Path], crop: Crop, cache: Path | None = None) -> NDArray[np.uint8]:
    """All photographs as crops; with a `cache` folder, decoded once and memory-mapped after.

    The cache's name holds the files' names, sizes and times, so a changed photograph is read anew.
    Raises `UnreadableImage` for a photograph, `DataError` for a cache that cannot be written.
    """
    if cache is None:
        out = np.empty((len(paths), 3, crop.size, crop.size), np.uint8)
        for start, piece in _decoded(paths, crop):
            out[start : start + len(piece)] = piece
        return out
    target = cache / f"crops-{_key(paths, crop)}.npy"
    if not target.exists():
        _write(paths, crop, target)
    try:
        return np.load(target, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"the cache {target.name} is damaged ({error}). Delete it: it is made again."
        ) from error


def _key(paths: Sequence[Path], crop: Crop) -> str:
    digest = hashlib.sha256(repr(crop).encode())
    for path in paths:
        stat = path.stat()
        name = f"{path.parent.name}/{path.name}"
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _decoded(paths: Sequence[Path], crop: Crop) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Crops in order, some at a time, with the number of the first; Pillow lets threads run."""
    workers = min(4, os.cpu_count() or 1)  # ours: disks and decoders gain little beyond
    with (
        progress("reading photographs", len(paths)) as advance,
        ThreadPoolExecutor(workers) as pool,
    ):
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            yield start, np.stack(list(pool.map(lambda path: read(path, crop), some)))
            advance(len(some))


def _write(paths: Sequence[Path], crop: Crop, target: Path) -> None:
    """Write beside, then rename: a reader sees a whole file or none.

    Written as a file, not through a memory map, so that a full disk raises and does not kill.
    """
    shape = (len(paths), 3, crop.size, crop.size)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".npy.partial")
        partial = Path(name)
        with os.fdopen(handle, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for _, piece in _decoded(paths, crop):
                file.write(piece.tobytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise DataError(
            f"the cache of {np.prod(shape) / 1e6:,.0f} MB cannot be written to "
            f"{target.parent.name} ({error.strerror}). Free some space or name another folder."
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
