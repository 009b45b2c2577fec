"""A defence with networks of its own is measured on a device that was handed them."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from equipment import SHADOW
from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.adv_face import AdvFace, Shadow
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.equipped import Equipped
from facecrafter.defences.fawkes import Fawkes
from facecrafter.defences.lowkey import LowKey
from facecrafter.defences.people import Ensemble
from facecrafter.defences.plain import Plain
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.paper.cells import Cell
from facecrafter.paper.equipped import EquippedScene, equipped
from facecrafter.paper.measure import deploy, measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.work import Work
from facecrafter.training import loop
from facecrafter.training.continued import Continuation
from facecrafter.training.pairs import Pairs
from facecrafter.training.people import PeopleTraining

ADV_FACE = AdvFace(0.5, shadow=SHADOW)
PEOPLE = Ensemble((PeopleTraining(4, (4, 6, 8), 1, 8),))
BLACK = Threat("black-box", ShadowDecoder(restarts=1), "black-box")
WHITE = Threat("white-box", LatentSearch(Descent(2, 0.1), restarts=2))
A1 = Threat("A1", Retrained(training=Continuation(1, 1, 4), faces=9, rounds=1, width=8))


def cell_of(threat: Threat = BLACK, defence: AbstractDefence = ADV_FACE, seed: int = 0) -> Cell:
    return Cell("tiny", defence, threat, seed)


@pytest.mark.parametrize("threat", [BLACK, WHITE, A1], ids=lambda threat: threat.name)
def test_a_cell_end_to_end(scene: Scene, store: Store, threat: Threat) -> None:
    record = measure(cell_of(threat), scene, store)
    assert record.defence["name"] == "AdvFace"
    assert record.versions["scene"] == scene.digest  # so that it stands in one table with others
    assert record.outcome["l_u"] > 0
    assert measure(cell_of(threat), scene, store) == record


@pytest.mark.parametrize(
    "defence",
    [Fawkes("low", ensemble=PEOPLE), LowKey(2, ensemble=PEOPLE), LowKey(2, evades="encoder")],
    ids=repr,
)
def test_cloaks_are_measured(scene: Scene, store: Store, defence: AbstractDefence) -> None:
    assert measure(cell_of(defence=defence), scene, store).outcome["l_u"] > 0


def test_an_adaptive_attacker_has_the_equipped_device(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His pairs are of crafted features, each moved as far as the bound lets it, not of plain."""
    learnt, pairs = list[Pairs](), AbstractAdaptive.pairs

    def watched(attack: AbstractAdaptive, *given: Any) -> Pairs:
        learnt.append(pairs(attack, *given))
        return learnt[-1]

    monkeypatch.setattr(AbstractAdaptive, "pairs", watched)
    measure(cell_of(A1), scene, store)
    (found,) = learnt
    made = equipped(cell_of(A1), scene, store)
    handed = made.offline()
    assert isinstance(handed, Equipped)
    assert isinstance(handed.equipment, Shadow)
    assert scene.public is not None
    bound = ADV_FACE.epsilon * handed.equipment.deviation
    for number in range(len(found)):
        released, image = found.some(0, torch.tensor([number]), scene.device)
        farthest = (released - made.target.encode(image)).abs().max()  # of a view in whole bytes
        torch.testing.assert_close(farthest, bound, rtol=0.2, atol=0.0)


def test_what_is_sent_is_of_the_equipment(scene: Scene, store: Store) -> None:
    made = equipped(cell_of(), scene, store)
    sent = deploy(ADV_FACE, 0, made, Work(store.work / "sent")).value
    assert scene.public is not None
    by_hand = ADV_FACE.equip(scene.offline(), scene.public, 0)
    again = deploy(ADV_FACE, 0, _handed(scene, by_hand), Work(store.work / "by hand")).value
    torch.testing.assert_close(sent, again)


def _handed(scene: Scene, handed: Equipped) -> Scene:
    own = {name: value for name, value in vars(scene).items() if name in Scene.__match_args__}
    return EquippedScene(**own, before=scene, handed=handed)


def test_attacks_and_bounds_share_one_training(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    equipped(cell_of(), scene, store)
    monkeypatch.setattr(loop, "_save", None)  # a step more would call it
    equipped(cell_of(A1), scene, store)
    equipped(cell_of(defence=replace(ADV_FACE, epsilon=1.0)), scene, store)
    assert len(list((store.work / "equipment").iterdir())) == 1


def test_another_seed_or_other_public_faces_need_another_training(
    scene: Scene, store: Store
) -> None:
    assert scene.public is not None
    fewer = replace(scene, public=scene.public.take(range(20)))
    for cell, given in ((cell_of(), scene), (cell_of(seed=1), scene), (cell_of(), fewer)):
        equipped(cell, given, store)
    assert len(list((store.work / "equipment").iterdir())) == 3


def test_the_scene_keeps_its_digests(scene: Scene, store: Store) -> None:
    made = equipped(cell_of(), scene, store)
    assert (made.digest, made.unjudged, made.taught) == (
        scene.digest,
        scene.unjudged,
        scene.taught,
    )


def test_other_defences_leave_the_scene_as_it_is(scene: Scene, store: Store) -> None:
    assert equipped(cell_of(defence=Plain()), scene, store) is scene


def test_a_scene_without_public_faces_is_named(scene: Scene, store: Store) -> None:
    with pytest.raises(SettingError, match="'tiny' has no public faces, which the device of Adv"):
        equipped(cell_of(), replace(scene, public=None), store)
