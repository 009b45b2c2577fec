"""Where the best responses lie among latent vectors: before and after crafting (V-A, Fig. 5).

The white-box attacker explains a feature by a latent vector. Of a plain feature that is z_org, of a
crafted one z*; z_r is what he would draw who knows nothing. Crafter is to bring z* where z_r is.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.defences.base import AbstractDefence
from facecrafter.inversion import search_from
from facecrafter.paper import describe
from facecrafter.paper.cells import Cell
from facecrafter.paper.provenance import code
from facecrafter.paper.results import AbstractResults
from facecrafter.paper.scenes import Scene
from facecrafter.paper.threats import THREATS
from facecrafter.progress import progress
from facecrafter.randomness import normal, stream
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Latents

KINDS = {"original": "z_org", "protected": "z*", "prior": "z_r"}


@dataclass(frozen=True, eq=False)
class Setting:
    """One defence, asked about the first batch of private test faces."""

    defence: AbstractDefence
    seed: int
    scene: Scene

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        cell = Cell(self.scene.name, self.defence, THREATS[0], self.seed)
        told = cell.key(self.scene.digest) + code("paper/responses")
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/responses/*.json."""

    command = "facecrafter locate"
    measures = ("original", "protected", "floor", "faces")

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(setting), ""

    def question(self, setting: Setting) -> dict[str, Any]:
        return describe.of_threat(THREATS[0])


def answer(setting: Setting) -> dict[str, Any]:
    """How far both kinds of responses are from the prior, and where all lie in two dimensions."""
    scene, defence, seed = setting.scene, setting.defence, setting.seed
    rows = scene.batches()[0]
    with progress(f"locate, {type(defence).__name__}", 3) as advance:
        images = scene.images(rows)
        raw = scene.target.encode(images).detach()
        protector = defence.fit(scene.offline(), stream(seed, "defence")).to(scene.device)
        # as `measure` releases this batch
        released = protector(images, stream(seed, "defence", 0)).in_order_of_images().detach()
        advance()
        original = best(scene, raw, seed)
        advance()
        protected = best(scene, released, seed)
        advance()
    shape = len(rows), scene.prior.latent_dim
    prior, other = (
        normal(*shape, rng=stream(seed, "locate", name), like=raw).cpu() for name in ("one", "two")
    )
    return {
        "original": distance(original, prior),  # of z_org from z_r; lower is more private
        "protected": distance(protected, prior),  # of z* from z_r; lower is more private
        "floor": distance(other, prior),  # of two samples of z_r
        "faces": len(rows),
        "places": places(original, protected, prior),
    }


def best(scene: Scene, features: Features, seed: int) -> Latents:
    """The best response to each feature (Eq. 3), as the white-box attack of the tables has it."""
    attack, view = THREATS[0].attack, scene.view("white-box")
    assert isinstance(attack, LatentSearch)
    shape = len(features), scene.prior.latent_dim
    starts = [
        normal(*shape, rng=stream(seed, "locate", "start", number), like=features)
        for number in range(attack.restarts)
    ]
    if view.amortiser is not None:
        with torch.no_grad():
            starts[0] = view.amortiser(features)
    with mixed(features.device, attack.bfloat16):
        found = search_from(starts, attack.search, attack.heat, view.explain, features)
    return found.latents.detach().cpu()


def distance(one: Latents, other: Latents) -> float:
    """Earth mover's distance of two samples of equal size, Euclidean (Def. 1)."""
    costs = torch.cdist(one.double(), other.double()).numpy()
    return float(costs[linear_sum_assignment(costs)].mean())


def places(original: Latents, protected: Latents, prior: Latents) -> dict[str, list[list[float]]]:
    """All on the plane along which they differ most (principal components), to draw them."""
    every = torch.cat([original, protected, prior]).double()
    centred = every - every.mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    flat = centred @ _turned(axes[:2]).T
    sides = flat.split([len(original), len(protected), len(prior)])
    return {
        kind: [[round(value, 4) for value in place] for place in side.tolist()]
        for kind, side in zip(KINDS, sides, strict=True)
    }


def _turned(axes: Tensor) -> Tensor:
    """An axis may point either way: its largest number is above 0."""
    signs = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
    return axes * signs
