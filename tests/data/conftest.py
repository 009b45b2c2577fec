"""Small photographs, written by the tests themselves: painted faces, no one's portrait."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic

Writer = Callable[..., Path]


@pytest.fixture(scope="session")
def painted() -> Faces:
    """Six people, five photographs each, 32 pixels."""
    return synthetic(7, people=6, photographs=5, size=32)


@pytest.fixture
def photograph() -> Writer:
    """Write a picture of noise that no other seed gives; returns its path."""

    def write(
        path: Path, seed: int = 0, size: tuple[int, int] = (40, 48), mode: str = "RGB"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3))
        picture = Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        picture.convert(mode).save(path)
        return path

    return write


@pytest.fixture
def faces() -> Callable[..., Faces]:
    """Faces of noise, with identities and two attributes."""

    def make(count: int = 6, seed: int = 0, size: int = 8, **changes: object) -> Faces:
        rng = np.random.default_rng(seed)
        parts: dict[str, object] = {
            "pixels": rng.integers(0, 256, (count, 3, size, size), dtype=np.uint8),
            "identities": np.arange(count, dtype=np.int64) + 100 * seed,
            "attributes": rng.random((count, 2), dtype=np.float32),
            "attribute_names": ("Smiling", "Bald"),
            "names": tuple(f"{seed}_{i}.jpg" for i in range(count)),
        }
        return Faces(**{**parts, **changes})  # pyright: ignore[reportArgumentType]

    return make


def pixels_of(faces: Faces) -> NDArray[np.uint8]:
    """All of them, read."""
    return np.asarray(faces.pixels)
