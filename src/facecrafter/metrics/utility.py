"""Is the feature still of use? Mean area under the ROC curve over attributes (VI-A)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from facecrafter.errors import DataError
from facecrafter.metrics.inputs import check_alike, check_count, check_finite


@dataclass(frozen=True)
class Utility:
    """AUC over attributes, and which attributes it could not speak of."""

    mean: float  # over `by_attribute`; 0 to 1, 0.5 = guessing
    by_attribute: Mapping[str, float]  # AUC of each attribute that was scored
    left_out: tuple[str, ...]  # attributes with too few photographs of one class

    def __str__(self) -> str:
        every = len(self.by_attribute) + len(self.left_out)
        return f"mean AUC {self.mean:.4f} over {len(self.by_attribute)} of {every} attributes"


def mean_auc(scores: Tensor, attributes: Tensor, names: Sequence[str], minimum: int = 1) -> Utility:
    """Mean over attributes of the area under the ROC curve.

    `scores`: (batch, attributes), any finite numbers that rise with belief, such as logits.
    `attributes`: (batch, attributes), probability that an image has it, 0 to 1; above 0.5 counts
    as yes. `names`: one for each column. `minimum`: an attribute is scored where at least so many
    photographs say yes and as many say no; with 1, only attributes of one class are left out, for
    they have no ROC curve. (More than 20 of each class is `minimum=21`.)

    Raises `DataError` where shapes or names disagree, a value is not finite or outside its range,
    or no attribute is left; `SettingError` where `minimum` is below 1.
    """
    check_count("minimum", minimum)
    _check(scores, attributes, names)
    truth = (attributes > 0.5).cpu().numpy()
    values = scores.detach().double().cpu().numpy()
    rarer = np.minimum(truth.sum(axis=0), (~truth).sum(axis=0))
    scored = {
        name: _auc(truth[:, i], values[:, i]) for i, name in enumerate(names) if rarer[i] >= minimum
    }
    if not scored:
        raise DataError(
            f"none of {len(names)} attributes has {minimum} photographs of each class, so there is "
            "no AUC. Give more photographs or lower minimum."
        )
    left_out = tuple(name for name in names if name not in scored)
    return Utility(float(np.mean(list(scored.values()))), scored, left_out)


def _auc(truth: NDArray[np.bool_], values: NDArray[np.float64]) -> float:
    return float(roc_auc_score(truth, values))


def _check(scores: Tensor, attributes: Tensor, names: Sequence[str]) -> None:
    if scores.ndim != 2 or scores.numel() == 0:
        raise DataError(
            f"scores have shape {tuple(scores.shape)}; they are (batch, attributes), at least one "
            "of each."
        )
    check_alike("scores", scores, "attributes", attributes)
    if len(names) != scores.shape[1] or len(set(names)) != len(names):
        raise DataError(
            f"{len(names)} names ({len(set(names))} different) for {scores.shape[1]} attributes; "
            "give each column its own name."
        )
    check_finite("scores", scores)
    check_finite("attributes", attributes, "Take photographs whose attributes are all known.")
    low, high = attributes.min().item(), attributes.max().item()
    if low < 0 or high > 1:
        raise DataError(
            f"attributes hold values from {low:.6g} to {high:.6g}; they are probabilities, 0 to 1. "
            "Give labels second and scores first; a label of -1 for no is written 0."
        )
