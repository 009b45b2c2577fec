"""A3: ask for the same photographs again and again, and average what is released (V-A, Table V)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.errors import DataError
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Order

ROUNDS = 3  # of matching to the mean so far; ours


@dataclass(frozen=True)
class Averaged(AbstractAttack):
    """Attack the mean of several releases of one batch.

    A device that shuffles mixes people in the mean. But a protected feature may still be nearest
    to the other protected features of its photograph: with `match` each release is first put into
    the order of the first by optimal assignment.
    """

    attack: AbstractAttack = field(default_factory=LatentSearch)
    queries: int = 5  # paper, Table V
    match: bool = False  # ours
    # whether each query shows the photographs a little otherwise (`near_duplicate`): what an
    # attacker is left with where the device remembers what it released for a photograph; ours
    near: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "queries", least=2)

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        """The inverter of means; what `mean` gives is what it is to be called with."""
        return self.attack.fit(view, rng)

    def mean(self, releases: Sequence[Features]) -> Features:
        """The mean of all releases of one batch, row by row as the first was sent.

        Raises `DataError` where they are not of one shape.
        """
        shapes = {tuple(release.shape) for release in releases}
        if len(shapes) != 1:
            raise DataError(f"releases of shapes {sorted(shapes)}: give those of one batch.")
        first, *others = releases
        if not self.match:
            return torch.stack([first, *others]).mean(dim=0)
        average = first
        for _ in range(ROUNDS):  # nearer the photograph than one release, the mean matches better
            aligned = [other[matched(average, other)] for other in others]
            average = torch.stack([first, *aligned]).mean(dim=0)
        return average


def matched(features: Features, others: Features) -> Order:
    """For each feature the place of its own among others, by the least sum of distances."""
    apart = torch.cdist(features.flatten(1), others.flatten(1))
    _, column = linear_sum_assignment(apart.cpu().numpy())
    return torch.from_numpy(column).to(features.device)
