"""What NoPeek, MID and CEM have in common: a penalty, a decoder that looks on, and an exact end."""

from dataclasses import replace

import pytest
import torch

from facecrafter.defences import game as module
from facecrafter.defences.base import Offline
from facecrafter.defences.cem import CEM
from facecrafter.defences.game import AbstractGame, Deployed
from facecrafter.defences.mid import MID
from facecrafter.defences.nopeek import NoPeek
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from facecrafter.training import loop
from helpers import tiny_prior, tiny_target
from penalised import batch_of, painted, penalty_after, small_target, state_of, stop_at

GAMES: tuple[AbstractGame, ...] = (
    NoPeek(epochs=2, batch=8, width=24),
    MID(epochs=2, batch=8, width=24),
    CEM(epochs=2, batch=8, width=24, components=3, enough=0.01),  # tiny features vary little
)
every_game = pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
noisy_games = pytest.mark.parametrize("game", GAMES[1:], ids=lambda game: type(game).__name__)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(loop, "curves", lambda *_: None)


@every_game
def test_more_lambda_leaves_less_of_what_is_penalised(game):
    low, high = (
        penalty_after(replace(game, weight=weight, epochs=6, rate=3e-3)) for weight in (0.0, 0.9)
    )
    assert high < 0.85 * low


@every_game
def test_the_decoder_learns_and_steers_nobody(game, monkeypatch):
    """Where no decoder moves, Enc and f become the same, to the last bit."""
    descend, lost = module._descend, list[float]()
    game, faces = replace(game, epochs=5, attack_rate=1e-2), painted()
    target = small_target(len(faces.attribute_names))

    def watched(optimiser, loss):
        lost.append(loss.item())
        descend(optimiser, loss)

    def defender_alone(optimiser, loss):
        lost.append(loss.item())
        if len(lost) % 2 == 0:
            descend(optimiser, loss)

    monkeypatch.setattr(module, "_descend", watched)
    one = game.play(target, faces)
    assert lost[-2] < 0.95 * lost[0]  # of the decoder
    lost.clear()
    monkeypatch.setattr(module, "_descend", defender_alone)
    other = game.play(target, faces)
    for name, value in one.target.state_dict().items():
        assert torch.equal(value, other.target.state_dict()[name]), name


@every_game
def test_a_game_that_was_stopped_ends_as_one_that_was_not(game, faces, tmp_path, monkeypatch):
    whole = state_of(game.play(small_target(), faces))
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        with pytest.raises(KeyboardInterrupt):
            game.play(small_target(), faces, folder=tmp_path)
    resumed = state_of(game.play(small_target(), faces, folder=tmp_path))
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


@every_game
def test_slopes_of_the_penalty_reach_enc(game, faces):
    players = game.players(small_target().requires_grad_(), faces)
    batch = batch_of(faces)
    players.privacy(players.release(batch.images), batch).backward()
    slope = players.target.conv1.weight.grad
    assert slope is not None
    assert slope.isfinite().all()
    assert slope.abs().sum() > 0
    assert all(one.grad is None for one in players.decoder.parameters())


@every_game
def test_nothing_but_the_enc_of_the_game_is_deployed(game):
    encode, prior = tiny_target().encode, tiny_prior()
    for given in (Offline(encode, prior), Deployed(encode, prior, game=replace(game, weight=0.1))):
        with pytest.raises(SettingError, match=f"{type(game).__name__} is a defence only where"):
            game.fit(given, stream(0, "fit"))


@noisy_games
def test_the_device_adds_the_noise_of_the_game(game):
    images = torch.rand(16, 3, 64, 64, generator=stream(0, "images"))
    target = tiny_target()
    protector = game.fit(Deployed(target.encode, tiny_prior(), game=game), stream(0, "fit"))
    with torch.no_grad():
        noise = protector(images, stream(0, "sent")).features - target.encode(images)
    assert noise.mean().abs() < 0.02  # of 32,768 numbers
    assert noise.std() == pytest.approx(game.deviation, rel=0.02)
    again = protector(images, stream(0, "sent")).features - target.encode(images)
    assert torch.equal(noise, again)


@noisy_games
def test_what_is_released_in_training_has_the_noise_too(game, faces):
    players = game.players(small_target(), faces)
    images = faces.images(range(8))
    torch.manual_seed(3)
    first, second = players.release(images), players.release(images)
    raw = players.target.encode(images)
    torch.testing.assert_close(players.without_noise(second), raw)
    assert (first - raw).std() == pytest.approx(game.deviation, rel=0.05)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(players.release(images), first)
    with pytest.raises(AssertionError, match="another release"):
        players.without_noise(first)


@every_game
def test_it_plays_in_mixed_precision(game, faces):
    players = replace(game, bfloat16=True).play(small_target(), faces)
    assert all(value.isfinite().all() for value in state_of(players).values())


@every_game
def test_a_decoder_without_width_is_named(game):
    with pytest.raises(SettingError, match="width=0"):
        replace(game, width=0)


@noisy_games
@pytest.mark.parametrize("deviation", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deviation_out_of_range_is_named(game, deviation):
    with pytest.raises(SettingError, match="deviation="):
        replace(game, deviation=deviation)
