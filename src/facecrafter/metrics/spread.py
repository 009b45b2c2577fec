"""How sure is a mean? Photographs of one person are alike, so people are resampled, not images."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.inputs import check_count, check_finite, check_labels
from facecrafter.randomness import stream


@dataclass(frozen=True)
class Interval:
    """A mean and the range that its bootstrap draws cover."""

    mean: float
    low: float
    high: float
    level: float  # share of draws between `low` and `high`, 0 to 1

    def __str__(self) -> str:
        return f"{self.mean:.4f} ({100 * self.level:g} %: {self.low:.4f} to {self.high:.4f})"


def confidence(
    values: Tensor, identities: Tensor, seed: int = 0, draws: int = 2000, level: float = 0.95
) -> Interval:
    """Percentile interval of the mean of `values` by a cluster bootstrap over people.

    `values`: (batch,), one finite number for each image. `identities`: (batch,), whose image it is,
    from 0. Each draw takes as many people as there are, with replacement and with all of their
    images. `draws`: 2000, ours. The same `seed` gives the same interval.

    Where all values are equal the interval has no width: the bootstrap cannot see what was not
    drawn (after 0 of n people, up to about 3 / n is compatible with that).

    Raises `DataError` for values or identities that do not fit and for fewer than two people,
    `SettingError` for `draws` below 1 or `level` not between 0 and 1.
    """
    _check(values, identities, draws, level)
    _, person = identities.cpu().unique(return_inverse=True)
    counts = torch.bincount(person).double()
    if len(counts) < 2:
        raise DataError(
            f"all {len(values)} values are of one person; a spread over people needs two at least. "
            "Measure more people."
        )
    per_image = values.detach().double().cpu()
    totals = torch.bincount(person, weights=per_image)
    means = _resampled_means(totals, counts, draws, stream(seed, "confidence"))
    tail = (1 - level) / 2
    low, high = means.quantile(means.new_tensor([tail, 1 - tail])).tolist()
    return Interval(per_image.mean().item(), low, high, level)


def _resampled_means(totals: Tensor, counts: Tensor, draws: int, rng: Generator) -> Tensor:
    """Mean over the images of each draw of people; (draws,), float64."""
    people = len(totals)
    means = torch.empty(draws, dtype=torch.float64)
    for i in range(draws):  # one draw at a time: memory does not grow with draws x people
        drawn = torch.randint(people, (people,), generator=rng)
        means[i] = totals[drawn].sum() / counts[drawn].sum()
    return means


def _check(values: Tensor, identities: Tensor, draws: int, level: float) -> None:
    if values.ndim != 1 or len(values) == 0 or not values.is_floating_point():
        raise DataError(
            f"values are {values.dtype} of shape {tuple(values.shape)}; they are one "
            "floating-point number for each image, shape (batch,), at least one."
        )
    check_finite("values", values)
    check_labels("identities", identities, len(values))
    check_count("draws", draws)
    if not 0 < level < 1:
        raise SettingError(f"level={level} is not between 0 and 1. 0.95 is usual.")
