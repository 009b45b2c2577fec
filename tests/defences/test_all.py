"""What every defence promises, whichever it is."""

import pytest
import torch

from facecrafter.defences.base import AbstractDefence, Release, require_images
from facecrafter.errors import DataError
from facecrafter.randomness import stream
from helpers import DEFENCES, random_images, tiny_offline, tiny_target

every_defence = pytest.mark.parametrize("defence", DEFENCES, ids=repr)


def protect(defence: AbstractDefence, images: torch.Tensor, seed: int = 0) -> Release:
    protector = defence.fit(tiny_offline(), stream(seed, "fit"))
    return protector(images, stream(seed, "defence"))


@every_defence
def test_release_has_one_finite_feature_for_each_image(defence: AbstractDefence) -> None:
    release = protect(defence, random_images())
    assert release.features.shape == (4, 8, 16, 16)
    assert torch.isfinite(release.features).all()
    assert sorted(release.order.tolist()) == [0, 1, 2, 3]
    assert not release.features.requires_grad


@every_defence
def test_same_seed_gives_the_same_release(defence: AbstractDefence) -> None:
    one, other = (protect(defence, random_images()) for _ in range(2))
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.order, other.order)


@every_defence
def test_only_plain_sends_the_raw_feature(defence: AbstractDefence) -> None:
    images = random_images()
    with torch.no_grad():
        raw = tiny_target().encode(images)
    moved = (protect(defence, images).in_order_of_images() - raw).flatten(1).norm(dim=1)
    if repr(defence) == "Plain()":
        assert (moved == 0).all()
    else:
        assert (moved > 0).all()


@every_defence
@pytest.mark.parametrize(
    "images",
    [
        torch.rand(0, 3, 64, 64),
        torch.full((2, 3, 64, 64), float("nan")),
        torch.full((2, 3, 64, 64), 255.0),
        torch.rand(2, 3, 32, 32),
        torch.rand(2, 3, 128, 128),
        torch.rand(2, 3, 64, 48),
    ],
    ids=["none", "nan", "bytes", "small", "large", "not square"],
)
def test_what_is_no_batch_of_photographs_is_refused(
    defence: AbstractDefence, images: torch.Tensor
) -> None:
    with pytest.raises(DataError):
        protect(defence, images)


def test_grey_images_are_refused() -> None:
    with pytest.raises(DataError, match="batch, 3, height"):
        require_images(torch.rand(2, 1, 64, 64))
