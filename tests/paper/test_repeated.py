"""A3 on a scene: further releases of the same photographs are made, kept and averaged."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facecrafter.attacks.averaged import Averaged
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.defences.shuffled import Shuffled
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import measure
from facecrafter.paper.repeated import BRIGHTER, near_duplicate
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat

BASIC = Threat("black-box", ShadowDecoder(2), "black-box")
ASKING = Threat("black-box A3", Averaged(ShadowDecoder(2), 4), "black-box")
MATCHING = replace(ASKING, name="matching", attack=Averaged(ShadowDecoder(2), 4, True))
NEAR = replace(ASKING, name="near", attack=Averaged(ShadowDecoder(2), 4, near=True))


def ssim(scene: Scene, store: Store, defence: AbstractDefence, threat: Threat) -> float:
    return measure(Cell("tiny", defence, threat, 0), scene, store).outcome["ssim"]


def test_asking_again_changes_what_is_seen_where_the_defence_is_random(
    scene: Scene, store: Store
) -> None:
    plain = ssim(scene, store, Plain(), BASIC)
    assert ssim(scene, store, Plain(), ASKING) == plain  # the same again and again
    assert ssim(scene, store, Plain(), MATCHING) == plain
    assert ssim(scene, store, Plain(), NEAR) != plain
    noisy = ssim(scene, store, Noise(1.0), BASIC)
    assert ssim(scene, store, Noise(1.0), ASKING) != noisy


def test_a_shuffle_is_met_as_it_was_sent(scene: Scene, store: Store) -> None:
    """The attacker is not handed the order; who matches finds it in plain features."""
    plain = ssim(scene, store, Plain(), BASIC)
    assert ssim(scene, store, Shuffled(Plain()), BASIC) == plain
    assert ssim(scene, store, Shuffled(Plain()), MATCHING) == plain
    assert ssim(scene, store, Shuffled(Plain()), ASKING) != plain


def test_further_releases_are_kept(
    scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ssim(scene, store, Noise(1.0), ASKING)

    def refuse(*_: object) -> None:
        raise AssertionError("protected again")

    monkeypatch.setattr("facecrafter.defences.noise._Noise.protect", refuse)
    again = Store(tmp_path / "other results", store.work)
    ssim(scene, again, Noise(1.0), MATCHING)
    with pytest.raises(AssertionError, match="protected again"):
        ssim(scene, again, Noise(1.0), NEAR)


def test_near_duplicates_differ_a_little() -> None:
    image = torch.linspace(0.2, 0.7, 64).repeat(1, 3, 64, 1)
    shown = [near_duplicate(image, number) for number in range(5)]
    assert torch.equal(shown[0], image)
    for number, one in enumerate(shown[1:], 1):
        assert one.shape == image.shape
        assert 0 < (one - image).abs().max() < 3 * BRIGHTER
        assert not any(torch.equal(one, other) for other in shown[:number])
