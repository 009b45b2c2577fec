"""Where best responses lie: distances with two oracles, and a tiny scene."""

from itertools import permutations

import numpy as np
import ot
import pytest
import torch

from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.paper import responses
from facecrafter.paper.measure import deploy
from facecrafter.paper.responses import KINDS, Results, Setting, answer, best, distance, places
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.work import Work


def test_the_distance_is_that_of_the_best_matching() -> None:
    one, other = torch.randn(2, 5, 3, dtype=torch.float64)
    costs = torch.cdist(one, other).numpy()
    least = min(costs[range(5), list(order)].mean() for order in permutations(range(5)))
    even = np.full(5, 0.2)
    assert distance(one, other) == pytest.approx(least)
    assert distance(one, other) == pytest.approx(ot.emd2(even, even, costs), abs=1e-9)
    assert distance(one, one.flip(0)) == pytest.approx(0)


def test_places_keep_distances_of_what_lies_on_a_plane() -> None:
    basis, _ = torch.linalg.qr(torch.randn(7, 2, dtype=torch.float64))
    flat = torch.randn(3, 4, 2, dtype=torch.float64)
    told = places(*(side @ basis.T for side in flat))
    assert [*told] == [*KINDS]
    drawn = torch.tensor([told[kind] for kind in KINDS], dtype=torch.float64).flatten(0, 1)
    expected = torch.cdist(flat.flatten(0, 1), flat.flatten(0, 1))
    assert torch.allclose(torch.cdist(drawn, drawn), expected, atol=1e-3)
    again = places(*(-side @ -basis.T for side in flat))
    assert told == again


def test_a_plain_release_moves_no_response(scene: Scene) -> None:
    found = answer(Setting(Plain(), 0, scene))
    assert found["original"] == found["protected"]
    assert found["places"]["original"] == found["places"]["protected"]
    assert found["faces"] == len(found["places"]["prior"]) == len(scene.batches()[0])
    assert found["floor"] > 0


def test_it_asks_about_the_release_that_the_tables_attack(scene: Scene, store: Store) -> None:
    released = deploy(Noise(1.0), 0, scene, Work(store.work)).value[scene.batches()[0]]
    latents = best(scene, released, 0)
    prior = responses.normal(
        *latents.shape, rng=responses.stream(0, "locate", "one"), like=released
    )
    found = answer(Setting(Noise(1.0), 0, scene))
    assert found["protected"] == pytest.approx(distance(latents, prior))
    assert found["protected"] != found["original"]


def test_it_is_measured_once(scene: Scene, store: Store) -> None:
    results = Results(store.folder / "responses")
    setting = Setting(Noise(1.0), 0, scene)
    record = results.measure(setting)
    assert results.find(setting) == record == results.measure(setting)
    assert results.find(Setting(Noise(2.0), 0, scene)) is None
    assert Setting(Noise(1.0), 1, scene).key != setting.key != Setting(Noise(2.0), 0, scene).key
