"""An adaptive attacker learns once for a release, and what he learnt is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facecrafter.attacks.continued import Continued
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.noise import Noise
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.paper.adaptive import view_of
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import ADAPTIVE, THREATS, Threat
from facecrafter.training.continued import Continuation

SHORT = Descent(2, 0.1)
TRAINING = Continuation(epochs=1, legs=2, batch=4)
BLACK = Threat("black-box A1", Continued(ShadowDecoder(2), "decoders", TRAINING, 9, 2), "black-box")
HYBRID = Threat(
    "hybrid A1",
    Continued(PixelSearch(ShadowDecoder(2), SHORT, restarts=1), "decoders", TRAINING, 9, 2),
)
WHITE = Threat(
    "white-box A1",
    Continued(LatentSearch(SHORT, None, 1), "prior", TRAINING, 9, 2, search=SHORT),
)


def cell_of(threat: Threat, deviation: float = 1.0) -> Cell:
    return Cell("tiny", Noise(deviation), threat, 0)


@pytest.mark.parametrize("threat", [BLACK, WHITE], ids=lambda threat: threat.name)
def test_a_cell_end_to_end(scene: Scene, store: Store, threat: Threat, tmp_path: Path) -> None:
    record = measure(cell_of(threat), scene, store)
    assert record.threat["name"] == threat.name
    assert record.threat["recipe"] == "Continued"
    assert record.versions["taught"] == scene.taught
    other = Store(tmp_path / "other", tmp_path / "elsewhere")
    assert measure(cell_of(threat), scene, other).outcome["ssim"] == record.outcome["ssim"]
    itself = replace(threat, name="basic", attack=threat.itself)
    basic = measure(cell_of(itself), scene, store)
    assert basic.versions["release"] == record.versions["release"]
    assert "taught" not in basic.versions
    assert basic.outcome["ssim"] != record.outcome["ssim"]  # something was learnt


def test_what_was_learnt_is_kept_and_shared(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = view_of(cell_of(BLACK), scene, store)

    def refuse(*_: object) -> None:
        raise AssertionError("learnt again")

    monkeypatch.setattr("facecrafter.defences.noise._Noise.protect", refuse)
    monkeypatch.setattr("facecrafter.training.continued.one_cycle", refuse)  # no step is made
    for again in (BLACK, HYBRID):
        view = view_of(cell_of(again), scene, store)
        for one, other in zip(first.shadows, view.shadows, strict=True):
            assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    with pytest.raises(AssertionError, match="learnt again"):
        view_of(cell_of(BLACK, 2.0), scene, store)


def test_a_basic_attacker_learns_nothing(scene: Scene, store: Store) -> None:
    view = view_of(cell_of(THREATS[0]), scene, store)
    assert view.protect is None
    assert not store.work.exists()


def test_a_scene_without_public_faces_is_refused(scene: Scene, store: Store) -> None:
    with pytest.raises(SettingError, match="no public faces for black-box A1"):
        view_of(cell_of(BLACK), replace(scene, public=None), store)


def test_only_adaptive_cells_depend_on_the_public_faces(scene: Scene) -> None:
    basic, adaptive = cell_of(THREATS[0]), cell_of(BLACK)
    assert basic.key("d", "one") == basic.key("d", "other") == basic.key("d")
    assert adaptive.key("d", "one") != adaptive.key("d", "other")
    fewer = replace(scene, public=scene.public and scene.public.take(range(9)))
    assert fewer.digest == scene.digest
    assert fewer.taught != scene.taught
    assert len({one.lessons("d", "t") for one in map(cell_of, (BLACK, WHITE))}) == 2
    assert cell_of(BLACK).interceptions("d", "t") == cell_of(WHITE).interceptions("d", "t")
    assert cell_of(BLACK).lessons("d", "t") == cell_of(HYBRID).lessons("d", "t")


def test_each_basic_attack_has_its_adaptive_one() -> None:
    assert [threat.itself for threat in ADAPTIVE] == [threat.attack for threat in THREATS]
    assert [threat.name for threat in ADAPTIVE] == [f"{threat.name} A1" for threat in THREATS]
    assert [threat.sees for threat in ADAPTIVE] == [threat.sees for threat in THREATS]
