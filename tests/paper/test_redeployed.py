"""A defence that changes the cloud's network is measured on the network that came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.data.faces import Faces
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.defences.base import Offline
from facecrafter.defences.game import AbstractGame, AbstractPlayers, Batch, Deployed
from facecrafter.defences.plain import Plain
from facecrafter.defences.tiprdc import Tiprdc
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.models.split import AbstractSplitModel, ResNet
from facecrafter.paper import redeployed as module
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import deploy, measure
from facecrafter.paper.redeployed import Redeployed, redeployed
from facecrafter.paper.scenes import Scene, content
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.work import Work
from facecrafter.randomness import stream
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.continued import Continuation
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.head import HeadTraining
from facecrafter.types import Features

GAME = AdversarialLearning(epochs=2, batch=4, width=24)
TASKLESS = Tiprdc(epochs=2, batch=4, widths=(4, 4, 4), width=4)
BLACK = Threat("black-box", ShadowDecoder(restarts=1), "black-box")
WHITE = Threat("white-box", LatentSearch(Descent(2, 0.1), restarts=2))
A1 = Threat("A1", Retrained(training=Continuation(1, 1, 4), faces=9, rounds=1, width=8))


class Alone(AbstractPlayers):
    """Nobody attacks in this game."""

    def __init__(self, target: AbstractSplitModel) -> None:
        self.target, self.unused = target, nn.Linear(1, 1)

    def attackers(self) -> Mapping[str, nn.Module]:
        return {"nobody": self.unused}

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        return features.square().mean()

    def utility(self, features: Features, batch: Batch) -> Tensor:
        return self.target.head(features).square().mean()

    def attack(self, features: Features, batch: Batch) -> Tensor:
        return self.unused(torch.ones(1, 1)).sum()


@dataclass(frozen=True)
class _Alone(AbstractGame[Alone]):
    def players(self, target: AbstractSplitModel, faces: Faces) -> Alone:
        return Alone(target)


KEPT = (module.GUESS, module.INVERSE, module.ANSWERS)  # before a test shortens them


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GUESS", AmortiserTraining(4, 2, 4))
    monkeypatch.setattr(module, "INVERSE", DecoderTraining(width=24, epochs=1, batch=4))
    monkeypatch.setattr(module, "ANSWERS", HeadTraining(epochs=1, batch=4))


def cell_of(threat: Threat = BLACK, game: AbstractGame = GAME) -> Cell:
    return Cell("tiny", game, threat, 0)


@pytest.mark.parametrize("threat", [BLACK, WHITE, A1], ids=lambda threat: threat.name)
def test_a_cell_end_to_end(scene: Scene, store: Store, threat: Threat) -> None:
    record = measure(cell_of(threat), scene, store)
    assert record.defence["name"] == "AdversarialLearning"
    assert record.versions["scene"] == scene.digest  # so that it stands in one table with others
    assert record.outcome["l_u"] == 0
    plain = measure(replace(cell_of(threat), defence=Plain()), scene, store)
    assert record.versions["release"] != plain.versions["release"]
    assert record.outcome["ssim"] != plain.outcome["ssim"]


def test_what_is_sent_and_answered_is_of_the_games_networks(scene: Scene, store: Store) -> None:
    made = redeployed(cell_of(), scene, store)
    players = GAME.play(scene.bundle.need("target"), scene.private_train, 0)
    images = scene.images(range(len(scene.private_test)))
    sent = deploy(GAME, 0, made, Work(store.work / "sent")).value
    torch.testing.assert_close(sent, players.target.encode(images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.target.head(sent), players.target(images), rtol=1e-4, atol=1e-5)
    (decoder,) = made.shadows
    assert content(decoder) == content(players.decoder)
    assert not torch.allclose(sent, scene.target.encode(images), atol=1e-3)


def test_attacks_on_one_defence_share_its_game(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = redeployed(cell_of(WHITE), scene, store)
    monkeypatch.setattr("facecrafter.training.loop._save", None)  # a step more would call it
    again = redeployed(cell_of(A1), scene, store)
    assert content(redeployed(cell_of(WHITE), scene, store).bundle.amortiser) == content(
        first.bundle.amortiser
    )
    for one, other in (
        (first.bundle.target, again.bundle.target),
        (first.shadows[0], again.shadows[0]),
    ):
        assert content(one) == content(other)


def test_who_does_not_see_the_encoder_has_no_guess_of_it(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert redeployed(cell_of(WHITE), scene, store).bundle.amortiser is not None
    monkeypatch.setattr(module, "GUESS", None)  # so none is trained
    assert redeployed(cell_of(BLACK), scene, store).bundle.amortiser is None


def test_another_lambda_is_another_game(scene: Scene, store: Store) -> None:
    one, other = (
        redeployed(cell_of(game=replace(GAME, weight=weight)), scene, store)
        for weight in (0.1, 0.9)
    )
    assert content(one.bundle.target) != content(other.bundle.target)


def test_no_surrogate_of_another_encoder_is_left(scene: Scene, store: Store) -> None:
    assert redeployed(cell_of(), scene, store).surrogate is None


def test_a_game_without_a_decoder_gets_a_fresh_one(scene: Scene, store: Store) -> None:
    made = redeployed(cell_of(game=_Alone(epochs=1, batch=4)), scene, store)
    (decoder,) = made.shadows
    features = made.target.encode(scene.images(range(2)))
    assert decoder(features).shape == (2, 3, 64, 64)
    blind = replace(scene, public=None)
    with pytest.raises(SettingError, match="no public faces to train a decoder on"):
        redeployed(cell_of(game=_Alone(epochs=2, batch=4)), blind, store)
    with pytest.raises(SettingError, match="no public faces to train f on"):
        redeployed(cell_of(game=TASKLESS), blind, store)


def test_a_game_that_knows_no_task_leaves_f_to_the_cloud(scene: Scene, store: Store) -> None:
    made = redeployed(cell_of(game=TASKLESS), scene, store)
    target, faces = scene.bundle.need("target"), scene.private_train
    players = TASKLESS.play(target, faces, 0)
    images = scene.images(range(3))
    sent = players.target.encode(images)
    torch.testing.assert_close(made.target.encode(images), sent, rtol=1e-4, atol=1e-5)
    answering = module.ANSWERS.fit(players.target, scene.public, 0)
    torch.testing.assert_close(
        made.bundle.need("target")(images), answering(images), rtol=1e-4, atol=1e-5
    )
    assert answering(images).shape == target(images).shape
    assert not any(one.requires_grad for one in made.bundle.need("target").parameters())


@pytest.mark.parametrize("threat", [BLACK, WHITE, A1], ids=lambda threat: threat.name)
def test_its_cell_end_to_end(scene: Scene, store: Store, threat: Threat) -> None:
    record = measure(cell_of(threat, TASKLESS), scene, store)
    assert record.defence["name"] == "Tiprdc"
    assert 0 <= record.outcome["auc"] <= 1
    assert 0 <= record.outcome["eval_acc"] <= 1


def test_its_f_is_trained_once_in_the_precision_of_the_game(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, fit = list[HeadTraining](), HeadTraining.fit

    def watched(training: HeadTraining, *given: Any) -> ResNet:
        trained.append(training)
        return fit(training, *given)

    monkeypatch.setattr(HeadTraining, "fit", watched)
    game = replace(TASKLESS, bfloat16=True)
    first = redeployed(cell_of(WHITE, game), scene, store)
    monkeypatch.setattr("facecrafter.training.loop._save", None)  # a step more would call it
    again = redeployed(cell_of(A1, game), scene, store)
    assert content(first.bundle.target) == content(again.bundle.target)
    assert [one.bfloat16 for one in trained] == [True, True]


def test_other_defences_leave_the_scene_as_it_is(scene: Scene, store: Store) -> None:
    assert redeployed(Cell("tiny", Plain(), BLACK, 0), scene, store) is scene


def test_a_scene_without_private_train_faces_is_named(scene: Scene, store: Store) -> None:
    with pytest.raises(SettingError, match="'tiny' has no private train faces, which Adversarial"):
        redeployed(cell_of(), replace(scene, private_train=None), store)


def test_a_game_protects_with_no_encoder_but_its_own(scene: Scene, store: Store) -> None:
    """Fails closed: else plain features would be sent under its name."""
    made = redeployed(cell_of(), scene, store)
    assert isinstance(made, Redeployed)
    offline = made.offline()
    assert isinstance(offline, Deployed)
    another = replace(GAME, weight=0.9)
    for game, given in (
        (GAME, scene.offline()),
        (another, offline),
        (GAME, Deployed(offline.encode, offline.prior)),
        (GAME, Offline(offline.encode, offline.prior)),
    ):
        with pytest.raises(SettingError, match="only where the cloud deploys"):
            game.fit(given, stream(0, "fit"))


def test_what_no_key_tells_is_as_it_was_measured() -> None:
    """Results of games rest on these: change them here, and measure all games anew."""
    assert (
        AmortiserTraining(width=32, steps=2000),
        DecoderTraining(width=64, epochs=10),
        HeadTraining(),
    ) == KEPT
