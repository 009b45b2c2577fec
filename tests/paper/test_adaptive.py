"""An adaptive attacker learns once for a release, and what he learnt is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facecrafter.attacks.answered import Answered
from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.consensus import Consensus
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.identified import Identified
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.other_prior import OtherPrior
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.purified import Purified
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.noise import Noise
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.paper.adaptive import learn
from facecrafter.paper.cells import Cell
from facecrafter.paper.keeping import taught
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import ADAPTIVE, THREATS, Threat
from facecrafter.training.continued import Continuation

SHORT = Descent(2, 0.1)
TRAINING = Continuation(epochs=1, legs=2, batch=4)
BLACK = Threat("black-box A1", Continued(ShadowDecoder(1), "decoders", TRAINING, 9, 2), "black-box")
PIXELS = Threat(
    "pixels",
    Continued(PixelSearch(ShadowDecoder(1), SHORT, restarts=1), "decoders", TRAINING, 9, 2),
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


@pytest.mark.parametrize(
    ("first", "then"), [(BLACK, (BLACK, PIXELS)), (WHITE, (WHITE,))], ids=["black-box", "white-box"]
)
def test_what_was_learnt_is_kept_and_shared(
    scene: Scene,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    first: Threat,
    then: tuple[Threat, ...],
) -> None:
    before = learn(cell_of(first), scene, store)
    told = networks(before.view)

    def refuse(*_: object) -> None:
        raise AssertionError("learnt again")

    monkeypatch.setattr("facecrafter.defences.noise._Noise.protect", refuse)
    monkeypatch.setattr("facecrafter.training.continued.one_cycle", refuse)  # no step is made
    monkeypatch.setattr("facecrafter.inversion.loss_and_slope", refuse)  # no z* is searched
    for again in then:
        learnt = learn(cell_of(again), scene, store)
        assert all(map(torch.equal, told, networks(learnt.view)))
        assert learnt.seconds == before.seconds > 0  # whichever run it was
        assert learnt.view.public is None  # else an attack might train anew on plain features
        assert learnt.view.protect is None
    with pytest.raises(AssertionError, match="learnt again"):
        learn(cell_of(first, 2.0), scene, store)


def networks(view: AttackerView) -> list[torch.Tensor]:
    own = (*view.shadows, *([view.prior] if view.prior is not None else []))
    return [value for network in own for value in network.state_dict().values()]


def test_a_basic_attacker_learns_nothing(scene: Scene, store: Store) -> None:
    learnt = learn(cell_of(THREATS[0]), scene, store)
    assert learnt.view == scene.view("white-box")
    assert learnt.seconds == 0
    assert not store.work.exists()


def test_a_scene_without_public_faces_is_refused(scene: Scene, store: Store) -> None:
    with pytest.raises(SettingError, match="no public faces for black-box A1"):
        learn(cell_of(BLACK), replace(scene, public=None), store)


def test_only_adaptive_cells_depend_on_the_public_faces(scene: Scene) -> None:
    basic, adaptive = cell_of(THREATS[0]), cell_of(BLACK)
    assert taught(basic, scene) == ""
    assert taught(adaptive, scene) == scene.taught != ""
    assert adaptive.key("d", "one") != adaptive.key("d", "other")
    fewer = replace(scene, public=scene.public and scene.public.take(range(9)))
    assert fewer.digest == scene.digest
    assert fewer.taught != scene.taught
    assert len({one.lessons("d", "t") for one in map(cell_of, (BLACK, WHITE))}) == 2
    assert cell_of(BLACK).interceptions("d", "t") == cell_of(WHITE).interceptions("d", "t")
    assert cell_of(BLACK).lessons("d", "t") == cell_of(PIXELS).lessons("d", "t")


def test_a_prior_of_his_own_counts_for_who_has_it(scene: Scene, store: Store) -> None:
    """And one that nobody trained is named before anything is crafted."""
    threat = Threat("white-box A2, mine", OtherPrior("mine", LatentSearch(Descent(2, 0.1))))
    one = replace(scene, priors={"mine": scene.prior})
    torch.manual_seed(5)
    other = replace(scene, priors={"mine": frozen(Prior(7, 2, scene.prior.size or 64))})
    assert one.digest == other.digest == scene.digest
    assert taught(cell_of(threat), one) != taught(cell_of(threat), other)
    found = [measure(cell_of(threat), some, store) for some in (one, other)]
    assert len({record.versions["taught"] for record in found}) == 2
    assert len({record.versions["cell"] for record in found}) == 2
    assert len({record.outcome["ssim"] for record in found}) == 2
    with pytest.raises(SettingError, match="no prior is called 'mine'"):
        measure(cell_of(threat), scene, store)


def test_the_adaptive_attacks_are_the_basic_ones_after_learning() -> None:
    white, black, deep, answered, *purified, told, agreed = ADAPTIVE
    assert (white.itself, white.sees) == (THREATS[0].attack, THREATS[0].sees)
    assert isinstance(black.itself, ShadowDecoder)  # it is given the mean of all decoders
    assert (black.itself.restarts, black.sees) == (1, THREATS[1].sees)
    names = [f"{threat.name} A1" for threat in THREATS[:2]]
    assert [threat.name for threat in ADAPTIVE[:2]] == names
    assert isinstance(deep.attack, Retrained)
    assert deep.attack.perceptual > 0
    assert isinstance(answered.attack, Answered)
    assert len(purified) == len(THREATS)
    for behind, basic in zip(purified, THREATS, strict=True):
        assert isinstance(behind.attack, Purified)
        assert (behind.attack.attack, behind.sees) == (basic.attack, basic.sees)
    assert isinstance(told.attack, Identified)
    assert (told.attack.training, told.attack.perceptual) == (
        deep.attack.training,
        deep.attack.perceptual,
    )
    assert isinstance(agreed.attack, Consensus)
    others = [black, deep, told, *purified]
    assert set(agreed.attack.members) == {one.attack for one in others}
    pairs = {(one.attack.faces, one.attack.rounds) for one in ADAPTIVE}  # type: ignore
    assert len(pairs) == 1  # what is intercepted serves all of them
