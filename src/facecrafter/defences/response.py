"""z*(F), where a search of the prior ends: for defences that begin with what it sees."""

import torch
from torch import Generator

from facecrafter.defences.base import Offline
from facecrafter.inversion import AbstractSearch
from facecrafter.randomness import normal
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Latents


def best_response(
    offline: Offline, features: Features, search: AbstractSearch, rng: Generator, bfloat16: bool
) -> Latents:
    """The latent vectors that explain the features best (Eq. 3), in the features' precision.

    From the amortiser's guess where there is an amortiser, else from random vectors; `rng` is
    advanced alike in both cases. `bfloat16`: mixed precision of the search.
    """
    start = normal(len(features), offline.prior.latent_dim, rng=rng, like=features)
    if offline.amortiser is not None:
        with torch.no_grad():
            start = offline.amortiser(features)
    with mixed(features.device, bfloat16):
        found = search.run(offline.explain, features, start)
    return found.latents.detach().to(features)
