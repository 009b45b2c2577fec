"""A defence of one's own, held against the white-box attack (docs/add-your-own.md).

python examples/your_own_defence.py bundles/lfw64
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator

from facecrafter import Offline, Release, load_bundle, stream
from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import AbstractDefence, AbstractProtector, straight
from facecrafter.metrics.image import ssim
from facecrafter.types import Images


@dataclass(frozen=True)
class Rounded(AbstractDefence):
    """Release features rounded to a grid."""

    step: float = 0.5  # in units of the features; ours

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Rounded(self, offline)


class _Rounded(AbstractProtector):
    def __init__(self, recipe: Rounded, offline: Offline) -> None:
        super().__init__()
        self.recipe, self.offline = recipe, offline

    def protect(self, images: Images, rng: Generator) -> Release:
        with torch.no_grad():
            raw = self.offline.encode(images)
        return Release((raw / self.recipe.step).round() * self.recipe.step, straight(images))


parts = load_bundle(Path(sys.argv[1]))
encode, prior = parts.need("target").encode, parts.need("prior")
view = AttackerView(query=encode, encoder=encode, prior=prior)
attacker = LatentSearch(restarts=1).fit(view, stream(0, "attack"))
faces = synthetic(seed=0, people=4, photographs=1).images()
for step in (0.01, 0.5, 2.0):
    protector = Rounded(step).fit(Offline(encode, prior), stream(0, "fit"))
    features = protector(faces, stream(0, "protect")).features
    print(f"step {step}: SSIM {ssim(attacker(features), faces).mean():.3f}")
