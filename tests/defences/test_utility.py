"""L_u by formula, and what the surrogate's changes about a release."""

from dataclasses import replace

import pytest
import torch

from facecrafter.defences.crafter import Crafter
from facecrafter.defences.utility import FeatureUtility, TaskUtility
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from helpers import random_images, tiny_offline, tiny_target


def features(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 8, 16, 16, generator=stream(seed, "features"))


def test_feature_utility_is_the_mean_square() -> None:
    lost = FeatureUtility().of(tiny_offline(), features())(features(1))
    expected = (features(1) - features()).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(lost, expected)


def test_task_utility_is_the_distance_of_signatures() -> None:
    offline, share = tiny_offline(), 0.3
    surrogate = offline.surrogate
    assert surrogate is not None
    lost = TaskUtility(share).of(offline, features())(features(1))
    apart = surrogate.signature(features(1)) - surrogate.signature(features())
    everything = (features(1) - features()).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(lost, apart.square().sum(dim=1) + share * everything)


def test_both_are_zero_where_nothing_moved() -> None:
    for utility in (FeatureUtility(), TaskUtility(0.5)):
        assert utility.of(tiny_offline(), features())(features()).abs().max() == 0


def test_task_utility_lets_a_feature_move_and_keeps_what_the_surrogate_reads() -> None:
    offline, images = tiny_offline(), random_images()
    surrogate, raw = offline.surrogate, tiny_target().encode(images)
    assert surrogate is not None
    with torch.no_grad():
        surrogate.measure_spread(surrogate.embed(tiny_target().encode(random_images(64, 1))))
    read: list[float] = []
    moved: list[float] = []
    for utility in (FeatureUtility(), TaskUtility(0.0)):
        protector = Crafter(0.1, 30, utility=utility).fit(offline, stream(0, "fit"))
        released = protector(images, stream(0, "defence")).in_order_of_images()
        apart = surrogate.signature(released) - surrogate.signature(raw)
        read.append(apart.square().sum().item())
        moved.append((released - raw).square().sum().item())
    assert read[1] < 0.1 * read[0]
    assert moved[1] > 1.5 * moved[0]


def test_a_surrogate_has_to_be_there() -> None:
    offline = replace(tiny_offline(), surrogate=None)
    protector = Crafter(steps=1, utility=TaskUtility()).fit(offline, stream(0, "fit"))
    with pytest.raises(SettingError, match="train surrogate"):
        protector(random_images(), stream(0, "defence"))


def test_settings_out_of_range_are_refused() -> None:
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="features"):
            TaskUtility(wrong)
