"""What every benchmark has: dropout, top-k, pruned channels; and noise with a bound."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.defences.channel_pruning import ChannelPruning
from facecrafter.defences.dropout import Dropout
from facecrafter.defences.fisher_noise import FisherNoise, traced
from facecrafter.defences.top_k import TopK
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from helpers import random_images, tiny_offline


def released(defence: AbstractDefence, offline: Offline | None = None, seed: int = 0) -> Features:
    protector = defence.fit(offline or tiny_offline(), stream(seed, "fit"))
    return protector(random_images(), stream(seed, "rng")).features


@pytest.fixture
def raw() -> Features:
    with torch.no_grad():
        return tiny_offline().encode(random_images())


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_dropout_drops_its_share_and_leaves_the_rest(raw: Features, share: float) -> None:
    found = released(Dropout(share))
    there = raw != 0
    dropped = (found == 0) & there
    assert dropped.sum() / there.sum() == pytest.approx(share, abs=0.02)
    assert torch.equal(found[~dropped], raw[~dropped])
    if share:  # each photograph has its own
        first, second = (found[i] == 0 for i in (0, 1))
        assert not torch.equal(first & there[0] & there[1], second & there[0] & there[1])


def test_top_k_keeps_the_largest(raw: Features) -> None:
    found, count = released(TopK(0.1)).flatten(1), round(0.1 * raw[0].numel())
    rows = raw.flatten(1)
    assert (found != 0).sum(dim=1).le(count).all()
    for mine, all_of_it in zip(found, rows, strict=True):
        least = all_of_it.abs().sort(descending=True).values[count - 1]
        assert (mine[all_of_it.abs() > least] == all_of_it[all_of_it.abs() > least]).all()
        assert (mine[all_of_it.abs() < least] == 0).all()
    assert torch.equal(released(TopK(1.0)), raw)
    assert (released(TopK(1e-9)) != 0).flatten(1).sum(dim=1).le(1).all()


def test_the_pruned_channels_are_always_the_same(raw: Features) -> None:
    found = released(ChannelPruning(0.5))
    gone = (found == 0).all(dim=(0, 2, 3)) & (raw != 0).any(dim=3).any(dim=2).any(dim=0)
    assert gone.sum() == raw.shape[1] // 2
    assert torch.equal(found[:, ~gone], raw[:, ~gone])
    others = {
        tuple((released(ChannelPruning(0.5), seed=s) == 0).all(dim=(0, 2, 3)).tolist())
        for s in range(5)
    }
    assert len(others) > 1  # of another device
    assert torch.equal(released(ChannelPruning(0.0)), raw)
    assert (released(ChannelPruning(0.999)) != 0).any()  # one channel is left


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (lambda: Dropout(1.0), "share=1 "),
        (lambda: Dropout(float("nan")), "share=nan"),
        (lambda: TopK(0.0), "kept=0 "),
        (lambda: TopK(1.5), "kept=1.5"),
        (lambda: ChannelPruning(-0.1), "pruned=-0.1"),
        (lambda: ChannelPruning(1.0), "pruned=1 "),
        (lambda: FisherNoise(0.0), "error=0"),
        (lambda: FisherNoise(1.0, 0), "probes=0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(recipe, named: str) -> None:  # type: ignore
    with pytest.raises(SettingError, match=named):
        recipe()


def test_the_trace_is_that_of_the_jacobian() -> None:
    """Of a smooth network, held against all of its Jacobian."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Tanh(), nn.Conv2d(4, 2, 2))

    def encode(images: Images) -> Features:
        return network(images)

    images = random_images()[:2, :, :9, :9].contiguous()
    features, found = traced(encode, images, 2000, stream(0, "probes"))
    assert torch.equal(features, network(images).detach())
    for image, estimate in zip(images, found, strict=True):
        whole = torch.autograd.functional.jacobian(lambda x: network(x[None])[0], image)
        assert isinstance(whole, Tensor)
        assert estimate == pytest.approx(whole.square().sum().item(), rel=0.05)


def test_the_best_unbiased_inversion_errs_by_no_less_than_promised() -> None:
    """Of a linear Enc it is the pseudo-inverse, and errs by no less than the bound."""
    torch.manual_seed(1)
    matrix = torch.randn(8 * 16 * 16, 3 * 8 * 8) / 16
    offline = replace(
        tiny_offline(), encode=lambda x: (x.flatten(1) @ matrix.T).view(-1, 8, 16, 16)
    )
    images = torch.rand(40, 3, 8, 8, generator=stream(0, "images"))
    protector = FisherNoise(0.3, probes=64).fit(offline, stream(0, "fit"))
    protector.size = 8
    sent = protector(images, stream(0, "noise")).features
    errors = (sent.flatten(1) @ torch.linalg.pinv(matrix).T) - images.flatten(1)
    error = errors.square().mean().sqrt().item()
    # 1 / dFIL is reached where all directions are seen alike, which random ones nearly are
    assert 0.3 <= error < 0.36


def test_more_is_asked_more_noise_is_sent(raw: Features) -> None:
    weak, strong = (released(FisherNoise(error)) - raw for error in (0.1, 0.2))
    assert torch.allclose(2 * weak, strong, atol=1e-4)
