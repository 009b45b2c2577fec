"""A crafting that was stopped goes on where it was, and ends alike."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from facecrafter.defences import kept
from facecrafter.defences.crafter import Crafter, Crafting
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.privacy import CriticDistance
from facecrafter.implicit import Lanczos
from facecrafter.inversion import Descent, Momentum
from facecrafter.paper.scenes import Scene
from facecrafter.paper.tiny import tiny
from facecrafter.progress import be_quiet
from facecrafter.randomness import stream
from facecrafter.training import checkpoints
from facecrafter.types import Features

STEPS = 5
_CRITIC = CriticDistance(steps=2, minibatch=3, width=4)
_WALK = Momentum(3, 1e-3)


def latent(start: Any) -> LatentOpponent:
    return LatentOpponent(
        begin_with=_WALK, follow=Descent(2, 0.1), start=start, solver=Lanczos(2, 9, 1e-3)
    )


RECIPES = (
    Crafter(1.0, STEPS, PixelOpponent()),
    Crafter(1.0, STEPS, PixelOpponent(), _CRITIC),
    Crafter(1.0, STEPS, latent("random"), _CRITIC),
    Crafter(1.0, STEPS, latent("previous")),
    Crafter(1.0, STEPS, latent("amortiser"), _CRITIC),
)


@pytest.fixture(autouse=True)
def _keep_after_each_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kept, "SECONDS", -1.0)
    yield
    be_quiet(False)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return tiny()


def crafting(recipe: Crafter, scene: Scene, folder: Path | None) -> Iterator[Crafting]:
    protector: Any = recipe.fit(scene.offline(), stream(0, "fit"))
    protector.folder = folder
    return protector.craft(scene.images(range(4)), stream(0, "craft"))


def last(steps: Iterator[Crafting]) -> Features:
    *_, end = steps
    return end.features


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
@pytest.mark.parametrize("stopped", [2, STEPS])  # at the last step, before anything was released
def test_it_goes_on_and_ends_alike_bit_for_bit(
    recipe: Crafter, stopped: int, scene: Scene, tmp_path: Path
) -> None:
    whole = last(crafting(recipe, scene, None))
    began = crafting(recipe, scene, tmp_path)
    for _ in range(stopped):
        next(began)
    resumed = list(crafting(recipe, scene, tmp_path))
    assert len(resumed) == STEPS - (stopped - 1)  # of the step that was torn nothing was kept
    assert torch.equal(resumed[-1].features, whole)


def test_it_survives_being_stopped_again_and_again(scene: Scene, tmp_path: Path) -> None:
    recipe = RECIPES[2]
    for _ in range(STEPS - 1):
        list(islice(crafting(recipe, scene, tmp_path), 2))
    assert checkpoints.read(tmp_path)[1]["step"] == str(STEPS - 1)
    assert torch.equal(last(crafting(recipe, scene, tmp_path)), last(crafting(recipe, scene, None)))


def test_the_newest_state_torn_gives_the_one_before(scene: Scene, tmp_path: Path) -> None:
    recipe = RECIPES[2]
    list(islice(crafting(recipe, scene, tmp_path), 4))
    newest = tmp_path / checkpoints.NEWEST
    newest.write_bytes(newest.read_bytes()[:-9])
    resumed = list(crafting(recipe, scene, tmp_path))
    assert len(resumed) == STEPS - 2
    assert torch.equal(resumed[-1].features, last(crafting(recipe, scene, None)))


def test_what_was_kept_of_another_recipe_is_not_taken(scene: Scene, tmp_path: Path) -> None:
    list(islice(crafting(RECIPES[0], scene, tmp_path), 4))
    other = Crafter(2.0, STEPS, PixelOpponent())
    assert len(list(crafting(other, scene, tmp_path))) == STEPS


def test_seconds_of_all_runs_add_up(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.seconds(tmp_path) == 0
    be_quiet()  # progress looks at the clock too
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(kept.time, "monotonic", lambda: float(next(clock)))
    list(islice(crafting(RECIPES[0], scene, tmp_path), 3))
    assert kept.seconds(tmp_path) == 20
    list(islice(crafting(RECIPES[0], scene, tmp_path), 2))
    assert kept.seconds(tmp_path) == 30


def test_without_a_folder_nothing_is_written(scene: Scene, tmp_path: Path) -> None:
    last(crafting(RECIPES[0], scene, None))
    assert list(tmp_path.iterdir()) == []


def test_quick_work_writes_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "SECONDS", 60.0)
    last(crafting(RECIPES[0], scene, tmp_path / "state"))
    assert list(tmp_path.iterdir()) == []
