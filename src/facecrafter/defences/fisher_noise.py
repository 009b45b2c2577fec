"""Noise that is calibrated by Fisher information, so that a bound on inversion holds.

Maeng, Guo, Kariyappa, Suh, "Bounding the Invertibility of Privacy-preserving Instance Encoding
using Fisher Information", NeurIPS 2023. No code of theirs. With noise of deviation s on Enc(x),
the information that is sent about a value of the photograph is dFIL = trace(J' J) / (d s^2) on
average, J the Jacobian of Enc at x, d the values of a photograph; and no unbiased estimate of the
photograph has a mean squared error below 1 / dFIL.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Encode,
    Offline,
    Release,
    straight,
)
from facecrafter.randomness import normal
from facecrafter.training.settings import require_counts, require_positive
from facecrafter.types import Images, Scores


@dataclass(frozen=True)
class FisherNoise(AbstractDefence):
    """Release Enc(X) + s x standard normal noise, s for each photograph by its dFIL.

    `error` is the bound: the root of the mean squared error of a pixel value, 0 to 1, that no
    unbiased attacker falls below. It says nothing of biased ones, and every attacker who knows what
    faces look like is biased: the average face alone, as a guess, errs by 0.21. So it
    orders strengths of noise and is no promise about people. s depends on the photograph and is not
    sent; who sees many values of a feature can estimate it. Raises `SettingError`.
    """

    error: float = 1.0  # RMSE of a pixel value; ours
    probes: int = 8  # random directions that trace(J' J) is estimated from; ours

    def __post_init__(self) -> None:
        require_positive(self, "error")
        require_counts(self, "probes")

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _FisherNoise(self, offline)


class _FisherNoise(AbstractProtector):
    def __init__(self, recipe: FisherNoise, offline: Offline) -> None:
        super().__init__(offline.prior.size)
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        raw, traces = traced(self.offline.encode, images, self.recipe.probes, rng)
        deviation = self.recipe.error * (traces / images[0].numel()).sqrt()
        noise = normal(*raw.shape, rng=rng, like=raw)
        return Release(raw + deviation[:, None, None, None] * noise, straight(images))


def traced(encode: Encode, images: Images, probes: int, rng: Generator) -> tuple[Tensor, Scores]:
    """Enc(X), and trace(J' J) of each photograph: the mean of |J' u|^2 over random signs u.

    Hutchinson's estimate, by one backward pass for each of the `probes`; (batch,).
    """
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        features = encode(at)
    total = images.new_zeros(len(images))
    for probe in range(probes):
        signs = torch.randint(0, 2, features.shape, generator=rng).to(features) * 2 - 1
        (slope,) = torch.autograd.grad(features, at, signs, retain_graph=probe < probes - 1)
        total += slope.square().sum(dim=(1, 2, 3))
    return features.detach(), total / probes
