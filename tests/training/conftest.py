"""Random faces."""

import numpy as np
import pytest

from facecrafter.data.faces import Faces


@pytest.fixture(scope="session")
def faces() -> Faces:
    """Sixteen crops of noise, of four people, with two attributes."""
    rng = np.random.default_rng(0)
    return Faces(
        pixels=rng.integers(0, 256, (16, 3, 64, 64), np.uint8),
        identities=np.arange(16, dtype=np.int64) % 4 + 3,  # numbers with a gap before them
        attributes=rng.integers(0, 2, (16, 2)).astype(np.float32),
        attribute_names=("smiling", "bald"),
    )
