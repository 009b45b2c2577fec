"""How many products with the curvature the published series of 121 needs.

    python bench/series.py --root DATA/lfw

Algorithm 2 multiplies 121 times. Along an eigenvector of value lambda its series depends on alpha
lambda alone, so where all alpha lambda are small a polynomial of low degree is the same series:
`Lanczos` evaluates it by a few products. Printed: alpha lambda_max of each face, and how far the
implicit gradient by few products is from the published one.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from facecrafter.commands.prepared import prepare
from facecrafter.data.lfw import lfw
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.errors import FacecrafterError, SettingError
from facecrafter.implicit import Lanczos, Neumann, SquaredDistance, implicit_gradient
from facecrafter.implicit.products import gauss_newton_product
from facecrafter.paper.markdown import markdown
from facecrafter.progress import progress
from facecrafter.randomness import normal, stream
from facecrafter.types import Features, Images, Latents, Scores

ROUNDS = 30  # of the power method; ours
PRODUCTS = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Hold few products against the published 121, at the best responses to plain features."""

    root: Path | None = None  # folder of LFW: its private test faces; None = painted faces
    bundle: Path = Path("bundles/lfw64")  # folder of networks
    faces: int = 16  # at most as many as LFW has
    cache: Path | None = Path("runs/crops")  # folder of decoded crops

    def run(self) -> None:
        """Measure and print."""
        if self.faces < 1:
            raise SettingError(f"--faces {self.faces}: give 1 or more.")
        ready = prepare(self.bundle, torch.device("cpu"))
        offline, images = ready.offline(), self._images(ready.size)
        with torch.no_grad():
            features = offline.encode(images)
        opponent = Crafter.as_published(elements=features[0].numel()).opponent
        assert isinstance(opponent, LatentOpponent)
        assert isinstance(opponent.solver, Neumann)
        latents, slope = _best(offline, opponent, features)
        largest = _largest(offline, latents) * 2 * opponent.scale * opponent.solver.alpha
        print(
            f"alpha x lambda_max over {len(images)} faces: {largest.min().item():.4f} to "
            f"{largest.max().item():.4f}\n"
        )
        print(_compared(offline, opponent, features, latents, slope))

    def _images(self, size: int) -> Images:
        if self.root is None:
            return synthetic(0, people=self.faces, photographs=1, size=size).images()
        test = lfw(self.root, size, self.cache).private_test
        rows = torch.randperm(len(test), generator=stream(0, "series"))[: self.faces]
        return test.images(rows.numpy())


def _best(
    offline: Offline, opponent: LatentOpponent, features: Features
) -> tuple[Latents, Latents]:
    """z*, and dL_p/dz* for L_p a random direction of G(z*)."""
    assert offline.amortiser is not None
    with torch.no_grad():
        start = offline.amortiser(features)
    latents = opponent.begin_with.run(offline.explain, features, start).latents.requires_grad_()
    with torch.enable_grad():
        faces = offline.prior(latents)
        toward = torch.randn(faces.shape, generator=stream(0, "toward"))
        (slope,) = torch.autograd.grad((faces * toward).sum(), latents)
    return latents.detach(), slope


def _largest(offline: Offline, latents: Latents) -> Scores:
    """Largest eigenvalue of J'J of each image, by the power method."""
    product = gauss_newton_product(offline.explain, latents)
    rng = stream(0, "power")
    vector = normal(len(latents), latents.shape[1], rng=rng, like=latents)
    size = vector.norm(dim=1)
    with progress("power method", ROUNDS) as advance:
        for _ in range(ROUNDS):
            vector = product(vector / size[:, None])
            size = vector.norm(dim=1)
            advance()
    return size


def _compared(
    offline: Offline,
    opponent: LatentOpponent,
    features: Features,
    latents: Latents,
    slope: Latents,
) -> str:
    """Markdown: the relative difference of gradients by few products from the published one."""
    assert isinstance(opponent.solver, Neumann)
    terms, alpha = opponent.solver.terms, opponent.solver.alpha
    loss = SquaredDistance(offline.explain, opponent.scale)
    solvers = [opponent.solver, *(Lanczos(count, terms, alpha) for count in PRODUCTS)]
    found: list[Features] = []
    with progress("gradients", len(solvers)) as advance:
        for solver in solvers:
            found.append(implicit_gradient(loss, features, latents, slope, solver).gradient)
            advance()
    published, *few = found
    size = published.flatten(1).norm(dim=1)
    lines: list[list[str]] = []
    for count, gradient in zip(PRODUCTS, few, strict=True):
        apart = (gradient - published).flatten(1).norm(dim=1) / size
        lines.append([f"{count}", f"{apart.median().item():.1e}", f"{apart.max().item():.1e}"])
    return markdown(["products", "difference, median", "greatest"], lines)


if __name__ == "__main__":
    try:
        tyro.cli(Series).run()
    except FacecrafterError as error:
        sys.exit(f"bench/series.py: {error}")
