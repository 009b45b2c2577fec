"""What is given back is what the use needs and a search of the prior does not see."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from facecrafter.defences import mended as module
from facecrafter.defences.base import Offline
from facecrafter.defences.mended import Mended
from facecrafter.defences.noise import Noise
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.utility import FeatureUtility
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from facecrafter.types import Features
from linear_networks import ExactSearch, Network, drawn_by, linear_network, photographs

IMAGES = 5


def released(recipe: Mended, offline: Offline) -> Features:
    protector = recipe.fit(offline, stream(0, "fit"))
    return protector(photographs(IMAGES), stream(0, "defence")).in_order_of_images()


def mended(network: Network, keep: float = 1.0) -> Mended:
    return Mended(Noise(1.0), FeatureUtility(), keep, 300, 0.05, ExactSearch(network))


def before(network: Network) -> Features:
    """The release that is mended."""
    protector = Noise(1.0).fit(network.offline(), stream(0, "fit"))
    return protector(photographs(IMAGES), drawn_by(stream(0, "defence"))).features


def unseen(network: Network, move: Features) -> Features:
    """By an orthonormal basis of a matrix that is known here."""
    basis = torch.linalg.svd(network.matrix, full_matrices=False).U
    flat = move.flatten(1)
    return (flat - flat @ basis @ basis.T).view_as(move)


@pytest.mark.parametrize("keep", [0.25, 1.0])
def test_the_move_is_the_one_of_the_closed_form(keep: float) -> None:
    network = linear_network()
    raw = network.enc(photographs(IMAGES))
    moved = released(mended(network, keep), network.offline()) - before(network)
    wanted = unseen(network, raw - before(network)) / (1 + keep)
    assert wanted.norm() > 1
    torch.testing.assert_close(moved, wanted, atol=2e-3, rtol=1e-3)


def test_a_search_of_the_prior_ends_where_it_ended() -> None:
    network = linear_network()
    one, other = before(network), released(mended(network), network.offline())
    torch.testing.assert_close(network.best(other), network.best(one), atol=1e-3, rtol=1e-3)
    raw = network.enc(photographs(IMAGES))
    assert (other - raw).norm() < 0.9 * (one - raw).norm()


def test_the_size_of_the_pieces_is_of_no_influence(monkeypatch: pytest.MonkeyPatch) -> None:
    network = linear_network()
    whole = released(mended(network), network.offline())
    monkeypatch.setattr(module, "PIECE", 2)
    torch.testing.assert_close(released(mended(network), network.offline()), whole)


def test_each_feature_is_mended_towards_its_own_photograph() -> None:
    """Also where the release that is mended came in a random order."""
    network = linear_network()
    recipe = replace(mended(network, keep=0.01), defence=Shuffled(Noise(0.01)))
    release = recipe.fit(network.offline(), stream(0, "fit"))(
        photographs(IMAGES), stream(3, "defence")
    )
    assert release.order.tolist() != list(range(IMAGES))
    raw = network.enc(photographs(IMAGES))[release.order]
    torch.testing.assert_close(release.features, raw, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    "setting", [{"keep": -0.1}, {"keep": float("inf")}, {"steps": 0}, {"rate": 0.0}], ids=repr
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        Mended(Noise(1.0), **setting)
