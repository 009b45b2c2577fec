"""What several test files share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from command_line import Run, runner
from facecrafter.data.faces import Faces
from small_bundle import make_bundle, make_photographs

# the same examples on every run: a failure in CI is one that everybody can repeat
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def _one_thread_for_shared_fixtures() -> None:
    """They are made before the fixture below."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are the same, bit for bit, only at a fixed number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle of untrained networks; not to be changed."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four painted faces; not to be changed."""
    return make_photographs(tmp_path_factory.mktemp("photos") / "own")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    return runner(capsys)
