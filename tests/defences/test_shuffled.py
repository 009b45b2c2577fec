"""Shuffling is uniform, and hides nothing but the order."""

from collections import Counter
from itertools import permutations

import torch
from scipy.stats import chisquare

from facecrafter.defences.base import Release
from facecrafter.defences.plain import Plain
from facecrafter.defences.shuffled import Shuffled
from facecrafter.randomness import stream
from linear_networks import linear_network, photographs


def release(seed: int, count: int = 3) -> Release:
    protector = Shuffled(Plain()).fit(linear_network().offline(), stream(0, "fit"))
    return protector(photographs(count), stream(seed, "defence"))


def test_features_are_those_of_the_images_in_the_stated_order() -> None:
    raw = linear_network().enc(photographs(6))
    shuffled = release(0, 6)
    assert shuffled.order.tolist() != list(range(6))
    torch.testing.assert_close(shuffled.features, raw[shuffled.order])
    torch.testing.assert_close(shuffled.in_order_of_images(), raw)


def test_shuffling_twice_keeps_the_order_true() -> None:
    raw = linear_network().enc(photographs(6))
    twice = Shuffled(Shuffled(Plain())).fit(linear_network().offline(), stream(0, "fit"))
    shuffled = twice(photographs(6), stream(1, "defence"))
    torch.testing.assert_close(shuffled.features, raw[shuffled.order])


def test_every_order_is_equally_likely() -> None:
    """Chi-square over the 6 orders of 3 images, 900 seeds; p is fixed by the seeds."""
    protector = Shuffled(Plain()).fit(linear_network().offline(), stream(0, "fit"))
    images = photographs(3)
    with torch.no_grad():
        seen = Counter(
            tuple(protector(images, stream(seed, "shuffle")).order.tolist()) for seed in range(900)
        )
    counts = [seen[order] for order in permutations(range(3))]
    assert sum(counts) == 900
    assert chisquare(counts).pvalue > 0.01
