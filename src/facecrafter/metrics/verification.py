"""Is it the same person? One face against one photograph (1:1), as a face matcher decides.

The attacker holds a reconstruction and photographs of people, and asks of each pair whether they
show one person. He accepts those pairs whose similarity passes a threshold, set so that of pairs of
two people no more than a given share passes (FAR); what counts is the share of pairs of one person
that passes (TAR at that FAR).
"""

import torch
from torch import Tensor

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.inputs import check_alike, check_finite, check_labels
from facecrafter.types import Scores


def accepted(seen: Tensor, known: Tensor, labels: Tensor, rate: float) -> Scores:
    """For each face the share of its person's other photographs that it is accepted for; (batch,).

    `seen`: (batch, embedding), a judge's embeddings of reconstructions. `known`: the same of the
    photographs that these reconstruct, in their order; a face is never compared with its own.
    `labels`: (batch,), whose they are, from 0. `rate`: the FAR, above 0 and below 1. The threshold
    is set on these very faces against photographs of others, so a matcher that was tuned to
    reconstructions, the best for the attacker. The mean over faces is TAR: lower is more private.

    Raises `DataError` for embeddings that cannot be compared, for a person with one photograph and
    for fewer pairs of two people than a threshold of that rate can be told from, `SettingError` for
    a rate that is none.
    """
    _check(seen, known, labels, rate)
    similar = _directions(seen) @ _directions(known).T
    same = labels[:, None] == labels[None, :]
    other = ~same
    own = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    if bool((own.sum(dim=1) == 0).any()):
        alone = int(labels[own.sum(dim=1) == 0][0])
        raise DataError(
            f"person {alone} has one photograph, so there is no other to compare with. Leave "
            "people with one photograph out."
        )
    passed = (similar > _threshold(similar[other], rate)) & own
    return passed.sum(dim=1).double() / own.sum(dim=1)


def _threshold(strangers: Tensor, rate: float) -> Tensor:
    """The lowest similarity above which at most `rate` of the pairs of two people are."""
    allowed = int(rate * len(strangers))
    if allowed < 1:
        raise DataError(
            f"{len(strangers)} pairs of two people tell no threshold for a FAR of {rate:g}: give "
            f"faces for {round(1 / rate)} pairs at least."
        )
    return strangers.topk(allowed + 1).values[-1]


def _directions(embeddings: Tensor) -> Tensor:
    lengths = embeddings.double().norm(dim=1, keepdim=True)
    if bool((lengths == 0).any()):
        raise DataError(
            f"embedding {int(lengths.argmin())} is 0 everywhere and has no direction. Look at that "
            "image, and check that the judge was trained."
        )
    return embeddings.double() / lengths


def _check(seen: Tensor, known: Tensor, labels: Tensor, rate: float) -> None:
    if not 0 < rate < 1:
        raise SettingError(f"rate={rate}: a FAR is above 0 and below 1, such as 0.01.")
    if seen.ndim != 2:
        raise DataError(f"embeddings have shape {tuple(seen.shape)}: give (batch, embedding).")
    check_alike("embeddings seen", seen, "embeddings known", known)
    check_finite("embeddings seen", seen)
    check_finite("embeddings known", known)
    check_labels("labels", labels, len(seen))
