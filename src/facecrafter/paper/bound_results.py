"""The terms of Theorem 1 and Eq. 34 for a defence, from faces: a JSON file for each."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import SettingError
from facecrafter.metrics.pii import distances, epsilon_pii
from facecrafter.paper import describe
from facecrafter.paper.bound import greatest_value, network_complexity
from facecrafter.paper.cells import Cell
from facecrafter.paper.complexity import (
    Weights,
    ascended,
    chosen,
    linear,
    lipschitz,
    matrix_norms,
    signs,
    trained,
)
from facecrafter.paper.provenance import code
from facecrafter.paper.results import AbstractResults
from facecrafter.paper.scenes import Scene
from facecrafter.paper.threats import THREATS
from facecrafter.progress import Advance, progress
from facecrafter.randomness import stream
from facecrafter.types import Images

RELEASES = 2  # of each face, between which the supremum over features may choose; ours
EXACT = {"linear": linear, "1-Lipschitz": lipschitz}
CRITIC = "critic"
FAMILIES = (*EXACT, CRITIC)


@dataclass(frozen=True)
class Effort:
    """How hard the suprema are sought, and over how many signs the mean is."""

    batches: int = 2  # of test faces, crafted and attacked; ours
    draws: int = 50  # of signs, where the supremum is exact; ours
    ascents: int = 4  # draws of signs, where it is sought by an ascent; ours
    steps: int = 40  # of each ascent; ours
    width: int = 8  # of the critic; ours (paper, Table XI: 64)
    training: int = 150  # steps of the critic whose norms the family allows; ours

    def __post_init__(self) -> None:
        if not all(value >= 1 for value in vars(self).values()):
            raise SettingError(f"{self}: give 1 or more of each.")


@dataclass(frozen=True, eq=False)
class Setting:
    """One defence, and how hard to look."""

    defence: AbstractDefence
    effort: Effort
    seed: int
    scene: Scene

    def __post_init__(self) -> None:
        there = len(self.scene.batches())
        if self.effort.batches > there:
            raise SettingError(
                f"batches={self.effort.batches}: the scene has {there}. Ask for no more."
            )

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        cell = Cell(self.scene.name, self.defence, THREATS[0], self.seed)
        mine = code("paper/bound", "paper/complexity", "paper/bound_results")
        told = f"{cell.key(self.scene.digest)} {mine} {self.effort}"
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/bound/*.json."""

    command = "facecrafter bound"
    measures = ("epsilon", "floor", "unmatched", "largest", "largest_average", "values", "faces")

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(setting), ""

    def question(self, setting: Setting) -> dict[str, Any]:
        return {**describe.of_threat(THREATS[0]), "effort": vars(setting.effort)}


@dataclass(frozen=True, eq=False)
class Seen:
    """What the white-box attacker reconstructs, and average faces to hold it against."""

    releases: Sequence[Images]  # reconstructions of the same faces from several releases
    lost: Sequence[float]  # L_u of each release (Eq. 6, squared)
    average: Images  # as many as there are faces

    def first(self, count: int) -> "Seen":
        """Of the first faces alone."""
        return Seen([some[:count] for some in self.releases], self.lost, self.average[:count])


def answer(setting: Setting) -> dict[str, Any]:
    """All terms; complexities and norms in Euclidean distance, epsilon over the image size."""
    scene, effort = setting.scene, setting.effort
    rows = scene.batches()[: effort.batches]
    counts = sorted({len(rows[0]), sum(map(len, rows))})
    steps = RELEASES * effort.batches + 1 + len(counts) * (len(EXACT) + effort.ascents) + 1
    with progress(f"bound, {type(setting.defence).__name__}", steps) as advance:
        seen = attacked(setting, advance)
        rng = stream(setting.seed, "bound", "critic")
        weights = trained(seen.releases[0], seen.average, effort.width, effort.training, rng)
        advance()
        terms = [one for n in counts for one in families(seen.first(n), weights, setting, advance)]
        along = average_alone(setting)
        advance()
    other = scene.average(len(seen.average), "more average")
    return {**_figures(seen, other), "batch": counts[0], "terms": terms, "average_alone": along}


def attacked(setting: Setting, advance: Advance) -> Seen:
    """Reconstructions of the first test faces from `RELEASES` releases that differ in the seed."""
    scene, defence = setting.scene, setting.defence
    protector = defence.fit(scene.offline(), stream(setting.seed, "defence")).to(scene.device)
    faces: list[list[Images]] = [[] for _ in range(RELEASES)]
    lost: list[list[Tensor]] = [[] for _ in range(RELEASES)]
    for number, rows in enumerate(scene.batches()[: setting.effort.batches]):
        images = scene.images(rows)
        raw = scene.target.encode(images).detach()
        for query in range(RELEASES):
            # the first as `measure` releases and attacks this batch, the next as if asked again
            again = ("query", query) if query else ()
            rng = stream(setting.seed, "defence", number, *again)
            features = protector(images, rng).in_order_of_images().detach()
            lost[query].append((features - raw).square().flatten(1).mean(dim=1))
            rng = stream(setting.seed, "attack", THREATS[0].name, number)
            inverter = THREATS[0].itself.fit(scene.view("white-box"), rng).to(scene.device)
            reconstructed = inverter(features).detach().clamp(0, 1).float().cpu()
            faces[query].append((reconstructed * 255).round() / 255)
            advance()
    whole = [torch.cat(some) for some in faces]
    average = scene.average(len(whole[0]))
    return Seen(whole, [torch.cat(some).mean().item() for some in lost], average)


def families(
    seen: Seen, weights: Weights, setting: Setting, advance: Advance
) -> list[dict[str, Any]]:
    """Complexities of every family on as many faces as `seen` has."""
    effort, (one, other), average = setting.effort, seen.releases, seen.average
    rng = stream(setting.seed, "bound", "signs", len(one))
    drawn = signs(max(effort.draws, effort.ascents), len(one), rng)
    mine, both = drawn[: effort.draws], torch.cat([one, other])
    rows = chosen(one, other, mine)
    found: list[dict[str, Any]] = []
    for name, of in EXACT.items():
        fixed = of(one, mine)
        # the choice is made for linear critics: where it is worse for others, they need not make it
        values = (of(average, mine), fixed, of(both, mine, rows).maximum(fixed))
        found.append({"family": name, "faces": len(one), **_means(values)})
        advance()
    values = [list[float]() for _ in range(3)]
    for row in drawn[: effort.ascents]:
        for place, (faces, second) in enumerate([(average, None), (one, None), (one, other)]):
            values[place].append(ascended(weights, faces, row, effort.steps, second))
        advance()
    told = _means([torch.tensor(some, dtype=torch.float64) for some in values])
    norms = matrix_norms(weights, one.shape[-1])
    return [*found, {"family": CRITIC, "faces": len(one), **told, **_closed(seen, norms)}]


def average_alone(setting: Setting) -> dict[str, float]:
    """R of all 1-Lipschitz critics on average faces, for as many as there are test faces."""
    count = len(setting.scene.private_test)
    drawn = signs(setting.effort.ascents, count, stream(setting.seed, "bound", "average"))
    return {"faces": count, "average": lipschitz(setting.scene.average(count), drawn).mean().item()}


def _means(values: Sequence[Tensor]) -> dict[str, float]:
    """Over signs, with the standard error of each mean."""
    told: dict[str, float] = {}
    for name, some in zip(("average", "seen", "chosen"), values, strict=True):
        told[name] = some.mean().item()
        told[f"{name}_error"] = some.std(correction=0).item() / len(some) ** 0.5
    return told


def _closed(seen: Seen, norms: Sequence[float]) -> Mapping[str, Any]:
    """What norms of layers alone say of the critics."""
    largest, average = _largest(seen.releases[0]), _largest(seen.average)
    return {
        "norms": list(norms),
        "closed_average": network_complexity(average, norms, len(seen.average)),
        "closed_seen": network_complexity(largest, norms, len(seen.average)),
        "greatest_average": greatest_value(average, norms),
        "greatest": greatest_value(largest, norms),
    }


def _figures(seen: Seen, other: Images) -> dict[str, Any]:
    one, average = seen.releases[0], seen.average
    values = average[0].numel()
    return {
        "faces": len(one),
        "values": values,
        "epsilon": epsilon_pii(one, average),  # Definition 2
        "floor": epsilon_pii(other, average),  # of two samples of average faces
        "unmatched": distances(one, average).mean().item() / values,
        "largest": max(_largest(some) for some in seen.releases),  # B_inv as far as seen
        "largest_average": _largest(average),
        "utility_lost": list(seen.lost),
    }


def _largest(faces: Images) -> float:
    return faces.flatten(1).norm(dim=1).max().item()
