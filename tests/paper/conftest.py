"""The tiny scene, quick threats and an empty store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.inversion import Descent
from facecrafter.paper.cells import Reported, Table
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import tiny
from facecrafter.progress import be_quiet
from made_records import MEASURED, recipe

_SHORT = Descent(2, 0.1)
_DECODER = ShadowDecoder(restarts=2)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    be_quiet()
    yield
    be_quiet(False)


@pytest.fixture(scope="session")
def scene() -> Scene:
    return tiny()


@pytest.fixture(scope="session")
def table() -> Table:
    return Table(
        title="Tiny",
        scene="tiny",
        defences=(Plain(), Noise(1.0)),
        threats=(
            Threat("white-box", LatentSearch(_SHORT, restarts=2)),
            Threat("black-box", _DECODER, "black-box"),
            Threat("hybrid", PixelSearch(_DECODER, _SHORT, restarts=2)),
        ),
        seeds=(0,),
        reported={("Plain", "white-box"): Reported(0.8177, "paper, VI-B", "everything")},
        remarks={"To know": "Painted faces."},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", tmp_path / "work")


@pytest.fixture
def full(table: Table) -> Table:
    """The table of `RECORDS`."""
    return replace(table, defences=tuple(recipe(*key) for key in MEASURED), seeds=(0, 1))
