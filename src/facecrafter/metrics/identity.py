"""Is the person still there? Evaluation accuracy and feature similarity (VI-A).

Both ask a judge: a network trained on private photographs that no defence and no attack has seen.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.inputs import (
    check_alike,
    check_count,
    check_finite,
    check_images,
    check_labels,
)
from facecrafter.types import Embeddings, Images, Logits, Scores


@runtime_checkable
class Judge(Protocol):
    """The evaluating network: logits over people, and the layer before them."""

    def embed(self, images: Images) -> Embeddings:
        """Penultimate layer, (batch, embedding)."""
        ...

    def __call__(self, images: Images) -> Logits:
        """One logit for each person that it knows, (batch, people)."""
        ...


def recognised(judge: Judge, reconstructions: Tensor, labels: Tensor, batch: int = 256) -> Scores:
    """1 where the judge names the right person in a reconstruction, else 0; shape (batch,).

    `reconstructions`: (batch, 3, height, width), RGB, 0 to 1, on the judge's device. `labels`:
    (batch,), the judge's own class numbers from 0; for `facecrafter.training.judge` these are
    places in `numpy.unique(faces.identities)`, not the identities. `batch`: images at a time.

    Raises `DataError` for images, labels or logits that cannot be judged, among them a label that
    the judge has no class for: such a face could never be recognised and would look private.
    """
    check_images("reconstructions", reconstructions)
    check_labels("labels", labels, len(reconstructions))
    logits = _in_pieces(judge, judge, reconstructions, batch, "logits")
    people = logits.shape[1]
    if int(labels.max()) >= people:
        raise DataError(
            f"labels hold {int(labels.max())}; the judge knows people 0 to {people - 1}. Leave "
            "people that it was not trained on out."
        )
    return (logits.argmax(dim=1) == labels.to(logits.device)).double()


def eval_accuracy(judge: Judge, reconstructions: Tensor, labels: Tensor, batch: int = 256) -> float:
    """Eval Acc (VI-A): share of reconstructions whose person the judge names; 0 to 1.

    Lower is more private. Arguments and errors are those of `recognised`.
    """
    return recognised(judge, reconstructions, labels, batch).mean().item()


def feature_similarity(
    judge: Judge, reconstructions: Tensor, originals: Tensor, batch: int = 256
) -> Scores:
    """FSIM (VI-A): cosine of the judge's penultimate layers for each pair; (batch,), -1 to 1.

    Lower is more private; the paper's figure is the mean. Both are (batch, 3, height, width), RGB,
    0 to 1, in one order, on the judge's device. Raises `DataError` for images that cannot be
    compared and for an embedding of length 0, which has no direction.
    """
    check_images("reconstructions", reconstructions)
    check_images("originals", originals)
    check_alike("reconstructions", reconstructions, "originals", originals)
    seen = _directions(judge, reconstructions, batch, "embeddings of reconstructions")
    true = _directions(judge, originals, batch, "embeddings of originals")
    return (seen * true).sum(dim=1).clamp(-1, 1)  # rounding alone leaves the range


def mean_feature_similarity(
    judge: Judge, reconstructions: Tensor, originals: Tensor, batch: int = 256
) -> float:
    """Mean of `feature_similarity` over the images: the paper's FSIM."""
    return feature_similarity(judge, reconstructions, originals, batch).mean().item()


def _directions(judge: Judge, images: Tensor, batch: int, name: str) -> Tensor:
    """The judge's embeddings, scaled to length 1."""
    embeddings = _in_pieces(judge, judge.embed, images, batch, name)
    lengths = embeddings.norm(dim=1, keepdim=True)
    if bool((lengths == 0).any()):
        raise DataError(
            f"{name}[{int(lengths.argmin())}] is 0 everywhere and has no direction. Look at that "
            "image, and check that the judge was trained."
        )
    return embeddings / lengths


def _in_pieces(
    judge: Judge, answer: Callable[[Tensor], Tensor], images: Tensor, batch: int, name: str
) -> Tensor:
    """`answer(images)`, a batch at a time, without gradients, as float64: (images, answers)."""
    check_count("batch", batch)
    if getattr(judge, "training", False):  # then answers depend on the neighbours in a batch
        raise SettingError("the judge is in training mode and would change. Call judge.eval().")
    with torch.no_grad():
        answers = torch.cat([answer(piece).double() for piece in images.split(batch)])
    if answers.ndim != 2 or answers.shape[0] != len(images) or answers.shape[1] == 0:
        raise DataError(
            f"{name} have shape {tuple(answers.shape)} for {len(images)} images; a judge gives "
            "one row for each image."
        )
    check_finite(name, answers)
    return answers
