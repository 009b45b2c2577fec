"""Eval Acc and FSIM, with judges whose answers are known by hand."""

import math

import pytest
import torch
from torch import nn

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.identity import (
    Judge,
    eval_accuracy,
    feature_similarity,
    mean_feature_similarity,
    recognised,
)
from facecrafter.models.judge import Judge as ResNetJudge

RED, GREEN, BLUE, YELLOW = (1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (1.0, 1.0, 0)


class Colours(nn.Module):
    """Embeds an image as its mean colour less `middle` and names the strongest colour."""

    def __init__(self, middle=0.0):
        super().__init__()
        self.middle = middle
        self.batches = []
        self.eval()

    def embed(self, images):
        self.batches.append((len(images), torch.is_grad_enabled()))
        return images.mean(dim=(2, 3)) - self.middle

    def forward(self, images):
        return self.embed(images)


class Fixed:
    """Gives the same answers to any images."""

    def __init__(self, answers):
        self.answers = answers

    def embed(self, images):
        return self.answers

    __call__ = embed


def plain(*colours):
    return torch.tensor(colours).view(-1, 3, 1, 1).expand(-1, 3, 4, 5)


def labels(*numbers):
    return torch.tensor(numbers)


def test_recognised_for_each_image():
    seen = recognised(Colours(), plain(RED, GREEN, BLUE, RED), labels(0, 1, 1, 2))
    assert seen.tolist() == [1, 1, 0, 0]


def test_eval_accuracy_is_the_share_recognised():
    images = plain(RED, GREEN, BLUE, RED, BLUE)
    assert eval_accuracy(Colours(), images, labels(0, 0, 2, 1, 2)) == pytest.approx(3 / 5)


def test_similarity_is_the_cosine_for_each_pair():
    one, other = plain(RED, RED, RED, (0.2, 0, 0)), plain(RED, GREEN, YELLOW, RED)
    seen = feature_similarity(Colours(), one, other)
    assert seen.tolist() == pytest.approx([1, 0, math.sqrt(0.5), 1], abs=1e-7)
    mean = mean_feature_similarity(Colours(), one, other)
    assert mean == pytest.approx((2 + math.sqrt(0.5)) / 4, abs=1e-7)


def test_opposite_embeddings_have_similarity_minus_one():
    white, black = plain((1.0, 1.0, 1.0)), plain((0.0, 0, 0))
    assert feature_similarity(Colours(0.5), white, black).tolist() == pytest.approx([-1])


def test_batches_are_bounded_and_without_gradients():
    images = torch.rand(11, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    judge, numbers = Colours(), torch.arange(11) % 3
    whole = recognised(judge, images, numbers)
    assert torch.equal(recognised(judge, images, numbers, batch=4), whole)
    assert judge.batches == [(11, False), (4, False), (4, False), (3, False)]
    shifted = images.flip(0)
    pairs = feature_similarity(judge, images, shifted, batch=5)
    torch.testing.assert_close(pairs, feature_similarity(judge, images, shifted))


def test_the_project_s_judge_is_a_judge():
    judge = ResNetJudge(3, depth=18, widths=(8, 8, 8, 8)).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert isinstance(judge, Judge)
    expected = (judge(images).argmax(dim=1) == labels(0, 1)).double().mean().item()
    assert eval_accuracy(judge, images, labels(0, 1)) == expected
    assert feature_similarity(judge, images, images).tolist() == pytest.approx([1, 1])


def test_a_judge_in_training_mode_is_refused():
    with pytest.raises(SettingError, match=r"training mode.*judge\.eval\(\)"):
        eval_accuracy(Colours().train(), plain(RED), labels(0))


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        (labels(0, -1), r"hold -1.*count from 0"),
        (labels(0, 3), r"hold 3; the judge knows people 0 to 2"),
        (labels(0), r"shape \(1,\); there are 2 images"),
        (labels([0], [1]), r"shape \(2, 1\); there are 2 images"),
        (labels(0.0, 1.0), r"float32; they are whole numbers"),
        (labels(True, False), r"bool; they are whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(numbers, says):
    with pytest.raises(DataError, match=says):
        eval_accuracy(Colours(), plain(RED, GREEN), numbers)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (torch.tensor([[1.0, torch.nan]]), r"\[0, 1\] is nan.*must be finite"),
        (torch.ones(2, 3), r"shape \(2, 3\) for 1 images"),
        (torch.ones(1), r"shape \(1,\) for 1 images"),
    ],
)
def test_answers_that_do_not_fit_are_refused(answers, says):
    with pytest.raises(DataError, match=says):
        eval_accuracy(Fixed(answers), plain(RED), labels(0))
    with pytest.raises(DataError, match=says):
        feature_similarity(Fixed(answers), plain(RED), plain(RED))


def test_an_embedding_of_length_zero_is_refused():
    with pytest.raises(DataError, match=r"originals\[1\] is 0 everywhere"):
        feature_similarity(Colours(), plain(RED, RED), plain(RED, (0.0, 0, 0)))


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_below_one_is_refused(batch):
    with pytest.raises(SettingError, match=rf"batch={batch} is below 1"):
        eval_accuracy(Colours(), plain(RED), labels(0), batch=batch)
