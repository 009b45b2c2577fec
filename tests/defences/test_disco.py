"""Disco: which channels leave the device, and that the pruner plays."""

from dataclasses import replace

import pytest
import torch

from facecrafter.defences.disco import Disco, Pruner
from facecrafter.errors import SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.models.split import ResNet

GAME = Disco(epochs=2, batch=8, width=24)


@pytest.fixture(scope="module")
def target() -> ResNet:
    torch.manual_seed(0)
    return frozen(ResNet(2, 18, (8, 8, 8, 8)))


def kept_channels(features: torch.Tensor) -> torch.Tensor:
    """How many channels of each feature are not 0 everywhere."""
    return features.flatten(2).ne(0).any(dim=2).sum(dim=1)


def test_those_with_the_highest_scores_are_left_as_they_are():
    torch.manual_seed(0)
    pruner, features = Pruner(8, 3), torch.rand(5, 8, 4, 4) + 0.1
    out = pruner(features)
    best = pruner.score(features.mean(dim=(2, 3))).argsort(dim=1, descending=True)
    for one, other, order in zip(out, features, best, strict=True):
        torch.testing.assert_close(one[order[:3]], other[order[:3]])
        assert (one[order[3:]] == 0).all()


def test_each_photograph_loses_channels_of_its_own():
    torch.manual_seed(0)
    loud = 20 * torch.rand(32, 8, 1, 1)  # other channels in each
    out = Pruner(8, 4)(loud + torch.rand(32, 8, 4, 4))
    assert len(out.flatten(2).ne(0).any(dim=2).unique(dim=0)) > 1


def test_slopes_reach_the_scores_of_channels_that_are_removed():
    torch.manual_seed(0)
    pruner = Pruner(8, 3)
    pruner(torch.rand(5, 8, 4, 4)).square().sum().backward()
    last = pruner.score[-1].bias
    assert (last.grad != 0).sum() == 3  # what is 0 gives none: it is multiplied by nothing
    pruner.zero_grad()
    (pruner(torch.rand(5, 8, 4, 4)) - 1).square().sum().backward()
    assert (last.grad != 0).all()


@pytest.mark.parametrize(("pruned", "kept"), [(0.0, 8), (0.6, 3), (0.99, 1)])
def test_a_share_of_the_channels_is_sent(target, faces, pruned, kept):
    players = replace(GAME, pruned=pruned, epochs=1).play(target, faces)
    features = players.target.encode(faces.images(range(4)))
    assert (kept_channels(features) <= kept).all()
    assert players.target.pruner.kept == kept


def test_enc_f_and_the_pruner_are_trained(target, faces):
    players = GAME.play(target, faces)
    torch.manual_seed(0)
    fresh = GAME.players(frozen(ResNet(2, 18, (8, 8, 8, 8))), faces)
    assert {name for name, _ in players.target.named_parameters()} == {
        name for name, _ in fresh.target.named_parameters()
    }
    before = dict(target.named_parameters())
    moved = {
        name.removeprefix("target.").split(".")[0]
        for name, value in players.target.named_parameters()
        if name.startswith("target.")
        and not torch.equal(value, before[name.removeprefix("target.")])
    }
    assert moved >= {"conv1", "layer1", "layer4", "fc"}
    again = GAME.play(target, faces)
    assert torch.equal(again.target.pruner.score[0].weight, players.target.pruner.score[0].weight)
    longer = replace(GAME, epochs=3).play(target, faces)
    assert not torch.equal(
        longer.target.pruner.score[0].weight, players.target.pruner.score[0].weight
    )


def test_folded_it_answers_the_same(target, faces):
    players, images = GAME.play(target, faces), faces.images(range(4))
    folded = fold_batch_norms(players.target)
    torch.testing.assert_close(folded(images), players.target(images), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in folded.modules())


@pytest.mark.parametrize("pruned", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_named(pruned):
    with pytest.raises(SettingError, match="pruned="):
        Disco(pruned=pruned)
