"""NoPeek, MID and CEM measured on the networks that come of them."""

from dataclasses import replace

import pytest
import torch

from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.cem import CEM
from facecrafter.defences.game import AbstractGame
from facecrafter.defences.mid import MID
from facecrafter.defences.noisy import AbstractNoisyGame
from facecrafter.defences.nopeek import NoPeek
from facecrafter.defences.plain import Plain
from facecrafter.paper import redeployed as module
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import deploy, measure
from facecrafter.paper.redeployed import redeployed
from facecrafter.paper.scenes import Scene, content
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.work import Work
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.decoder import DecoderTraining

GAMES = (
    NoPeek(epochs=1, batch=4, width=24),
    MID(epochs=1, batch=4, width=24, deviation=0.5),
    CEM(epochs=1, batch=4, width=24, components=2, deviation=0.5),
)
INVERSE = DecoderTraining(width=24, epochs=1, batch=4)
BLACK = Threat("black-box", ShadowDecoder(restarts=1), "black-box")
every_game = pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GUESS", AmortiserTraining(4, 2, 4))
    monkeypatch.setattr(module, "INVERSE", INVERSE)


@every_game
def test_what_is_sent_is_the_games_feature_and_its_noise(
    scene: Scene, store: Store, game: AbstractGame
) -> None:
    cell = Cell("tiny", game, BLACK, 0)
    made = redeployed(cell, scene, store)
    images = scene.images(range(len(scene.private_test)))
    sent = deploy(game, 0, made, Work(store.work / "sent")).value
    noise = sent - made.target.encode(images)
    wanted = game.deviation if isinstance(game, AbstractNoisyGame) else 0.0
    assert noise.std().item() == pytest.approx(wanted, rel=0.03, abs=1e-4)
    assert noise.mean().abs() < 0.03
    players = game.play(scene.bundle.need("target"), scene.private_train, 0)
    (decoder,) = made.shadows
    assert content(decoder) != content(players.decoder)  # it saw private photographs
    target = made.bundle.need("target")
    given = made.target.encode, scene.public, 0, None, scene.device
    assert content(decoder) == content(INVERSE.fit(*given, unfolded={"target": target}))
    torch.testing.assert_close(
        players.target.encode(images), made.target.encode(images), rtol=1e-4, atol=1e-5
    )


@every_game
def test_a_cell_end_to_end(scene: Scene, store: Store, game: AbstractGame) -> None:
    cell = Cell("tiny", game, BLACK, 0)
    record = measure(cell, scene, store)
    assert record.defence["name"] == type(game).__name__
    assert (record.outcome["l_u"] > 0) == isinstance(game, AbstractNoisyGame)
    plain = measure(replace(cell, defence=Plain()), scene, store)
    assert record.outcome["ssim"] != plain.outcome["ssim"]
