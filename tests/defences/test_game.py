"""Adversarial games: who moves whom, what each side wants, what lambda does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from facecrafter.data.synthetic import synthetic
from facecrafter.defences import game
from facecrafter.defences.adversarial import AdversarialLearning, apart
from facecrafter.defences.game import Batch
from facecrafter.errors import DataError, SettingError
from facecrafter.models.part import frozen
from facecrafter.models.split import ResNet

GAME = AdversarialLearning(epochs=3, batch=8, width=8)


@pytest.fixture(scope="module")
def target() -> ResNet:
    torch.manual_seed(0)
    return frozen(ResNet(2, 18, (4, 6, 8, 10)))


@pytest.fixture(scope="module")
def batch(faces) -> Batch:
    return Batch(faces.images(range(8)), torch.from_numpy(faces.attributes[:8]))


def moved(before: dict[str, torch.Tensor], module: torch.nn.Module) -> bool:
    return any(not torch.equal(before[name], value) for name, value in module.named_parameters())


def kept(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def test_the_defender_begins_as_the_target_which_stays_as_it_is(target, faces):
    before = kept(target)
    players = GAME.play(target, faces)
    assert not moved(before, target)
    assert moved(before, players.target)
    assert not players.target.training
    assert not players.decoder.training
    assert not any(one.requires_grad for one in target.parameters())


def test_each_side_moves_its_own_networks_alone(target, faces, monkeypatch):
    """Of each step of descent: whose weights it changes."""
    seen, descend = list[tuple[bool, bool]](), game._descend
    players = GAME.players(frozen(ResNet(2, 18, (4, 6, 8, 10))).requires_grad_(), faces)
    monkeypatch.setattr(AdversarialLearning, "players", lambda *given: players)

    def watched(optimiser, loss):
        both = players.target, players.decoder
        before = [kept(one) for one in both]
        descend(optimiser, loss)
        seen.append(tuple(moved(*pair) for pair in zip(before, both, strict=True)))

    monkeypatch.setattr(game, "_descend", watched)
    replace(GAME, epochs=1, rounds=2).play(target, faces)
    one_step = [(False, True), (False, True), (True, False)]  # twice the attacker, the defender
    assert seen == one_step * (len(seen) // 3)
    assert seen


def test_the_losses_are_those_of_table_iii(target, faces, batch):
    players = GAME.players(target, faces)
    features = players.release(batch.images)
    again = players.decoder(features)
    by_hand = torch.stack(
        [((one - other) ** 2).mean().sqrt() for one, other in zip(again, batch.images, strict=True)]
    ).mean()
    torch.testing.assert_close(players.attack(features, batch), by_hand)
    torch.testing.assert_close(players.privacy(features, batch), -by_hand)
    lost = binary_cross_entropy_with_logits(target(batch.images), batch.labels)
    torch.testing.assert_close(players.utility(features, batch), lost)


def test_a_face_that_is_met_exactly_has_slopes(batch):
    faces = batch.images.clone().requires_grad_()
    apart(faces, batch.images).backward()
    assert faces.grad is not None
    assert faces.grad.isfinite().all()


def test_more_lambda_leaves_the_decoder_of_the_game_further_off():
    """On painted faces that it learnt from."""
    painted = synthetic(4, people=4, photographs=8, size=64)
    torch.manual_seed(0)
    target = frozen(ResNet(len(painted.attribute_names), 18, (4, 6, 8, 10)))
    batch = Batch(painted.images(range(16)), torch.from_numpy(painted.attributes[:16]))
    lost = list[float]()
    for weight in (0.0, 0.9):
        players = replace(GAME, weight=weight, epochs=20, rate=3e-3).play(target, painted)
        with torch.no_grad():
            features = players.release(batch.images)
            lost.append(players.attack(features, batch).item())
    assert lost[1] > 1.3 * lost[0]


@pytest.mark.parametrize("weight", [1.1, 2.0])
def test_a_lambda_above_1_is_named(weight):
    with pytest.raises(SettingError, match=f"weight={weight:g}"):
        AdversarialLearning(weight)


def test_faces_without_attributes_are_refused(target, faces):
    nobody = replace(faces, attributes=np.zeros((16, 0), np.float32), attribute_names=())
    with pytest.raises(DataError, match="no face has attributes: the defender"):
        GAME.play(target, nobody)
