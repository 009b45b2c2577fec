"""Every measure of images refuses what it cannot measure, and says what and why."""

import pytest
import torch

from facecrafter.errors import DataError
from facecrafter.metrics.identity import (
    eval_accuracy,
    feature_similarity,
    mean_feature_similarity,
    recognised,
)
from facecrafter.metrics.image import psnr, ssim
from facecrafter.metrics.pii import epsilon_pii


class Colours:
    """Embeds an image as its mean colour and names the strongest one."""

    def embed(self, images):
        return images.mean(dim=(2, 3))

    __call__ = embed


GOOD = torch.full((4, 3, 12, 13), 0.5)
LABELS = torch.zeros(4, dtype=torch.int64)
MEASURES = {
    "recognised": lambda x: recognised(Colours(), x, LABELS),
    "eval_accuracy": lambda x: eval_accuracy(Colours(), x, LABELS),
    "feature_similarity, first": lambda x: feature_similarity(Colours(), x, GOOD),
    "feature_similarity, second": lambda x: feature_similarity(Colours(), GOOD, x),
    "mean_feature_similarity": lambda x: mean_feature_similarity(Colours(), GOOD, x),
    "ssim, first": lambda x: ssim(x, GOOD),
    "ssim, second": lambda x: ssim(GOOD, x),
    "psnr, first": lambda x: psnr(x, GOOD),
    "psnr, second": lambda x: psnr(GOOD, x),
    "epsilon_pii, first": lambda x: epsilon_pii(x, GOOD),
    "epsilon_pii, second": lambda x: epsilon_pii(GOOD, x),
}


def _with(value):
    images = GOOD.clone()
    images[2, 1, 3, 4] = value
    return images


BAD = {
    "nan": (_with(torch.nan), r"\[2, 1, 3, 4\] is nan.*must be finite"),
    "inf": (_with(torch.inf), r"\[2, 1, 3, 4\] is inf.*must be finite"),
    "above 1": (_with(1.001), r"to 1\.001; images are RGB, 0 to 1"),
    "below 0": (_with(-0.001), r"from -0\.001 .*; images are RGB, 0 to 1"),
    "bytes": ((GOOD * 255).byte(), r"torch\.uint8.*Divide bytes by 255"),
    "empty": (GOOD[:0], r"shape \(0, 3, 12, 13\).*at least one"),
    "one image": (GOOD[0], r"shape \(3, 12, 13\).*Give one row for each face"),
    "colours last": (GOOD.permute(0, 2, 3, 1), r"shape \(4, 12, 13, 3\).*colours before"),
    "fewer": (GOOD[:3], r"\(3, 3, .*(equally many|in one order)|there are 3 images"),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
def test_images_that_fit_are_measured(measure):
    assert torch.as_tensor(measure(GOOD)).numel() in (1, 4)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
@pytest.mark.parametrize(("images", "says"), BAD.values(), ids=BAD.keys())
def test_images_that_do_not_fit_are_refused(measure, images, says):
    with pytest.raises(DataError, match=says):
        measure(images)


@pytest.mark.parametrize("name", [name for name in MEASURES if not name.startswith(("rec", "ev"))])
def test_pairs_of_two_sizes_are_refused(name):
    with pytest.raises(DataError, match=r"\(.*12, 14\).*(one size|one space)"):
        MEASURES[name](torch.full((4, 3, 12, 14), 0.5))


@pytest.mark.parametrize("value", [-0.00005, 1.00005])
def test_rounding_is_forgiven(value):
    assert psnr(_with(value), _with(value)).isinf().all()
