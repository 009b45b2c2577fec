"""A prior that nobody trained: a network of each picture's own (Ulyanov et al., CVPR 2018).

What a small convolutional network draws from fixed noise is smooth before it is anything else, so
its weights, searched instead of pixels, give a face where pixels give grain.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import interpolate

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.inversion import AbstractSearch, Descent
from facecrafter.randomness import child, normal
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Images, Latents


@dataclass(frozen=True)
class DeepImagePrior(AbstractAttack):
    """Minimise |F - Enc(net(noise))|^2 over the weights of a network for each image."""

    search: AbstractSearch = field(default_factory=lambda: Descent(150, 0.01))  # ours
    width: int = 16  # channels; ours
    doublings: int = 3  # of the side, from the noise to the picture; ours
    size: int = 64  # height and width of the pictures, pixels; ours
    batch: int = 16  # images searched together; of no influence on the result

    def __post_init__(self) -> None:
        require_counts(self, "width", "doublings", "batch")
        require_counts(self, "size", least=2**self.doublings)

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        return _DeepImagePrior(self, view, child(rng, "deep image prior"))


class _DeepImagePrior(AbstractInverter):
    def __init__(self, recipe: DeepImagePrior, view: AttackerView, rng: Generator) -> None:
        super().__init__()
        self.recipe, self.view, self.rng = recipe, view, rng
        self.layers = _layers(recipe.width, recipe.doublings)
        self.shapes = {name: value.shape for name, value in self.layers.named_parameters()}

    def forward(self, features: Features) -> Images:
        pieces = features.split(self.recipe.batch)
        return torch.cat([self._search(piece) for piece in pieces])

    def _search(self, features: Features) -> Images:
        count, side = len(features), self.recipe.size // 2**self.recipe.doublings
        noise = normal(count, self.recipe.width, side, side, rng=self.rng, like=features)
        encoder = self.view.need_encoder()
        explain = lambda weights: encoder(self._draw(weights, noise))  # noqa: E731
        found = self.recipe.search.run(explain, features, self._fresh(features))
        with torch.no_grad():
            return self._draw(found.latents, noise)

    def _draw(self, weights: Latents, noise: Tensor) -> Images:
        """A picture from each row of weights."""

        def one(row: Tensor, seen: Tensor) -> Tensor:
            sizes = [shape.numel() for shape in self.shapes.values()]
            parts = zip(self.shapes.items(), row.split(sizes), strict=True)
            named = {name: part.view(shape) for (name, shape), part in parts}
            return functional_call(self.layers, named, (seen[None],))[0]

        return vmap(one)(weights, noise)

    def _fresh(self, features: Features) -> Latents:
        """Weights such that a layer neither swells nor fades what it is given."""
        parts = []
        for shape in self.shapes.values():
            scale = (2 / shape[1:].numel()) ** 0.5 if len(shape) > 1 else 0.0
            drawn = normal(len(features), shape.numel(), rng=self.rng, like=features)
            parts.append(scale * drawn)
        return torch.cat(parts, dim=1)


class _Doubled(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return interpolate(maps, scale_factor=2, mode="bilinear")


def _layers(width: int, doublings: int) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(doublings):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2), _Doubled()]
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())
