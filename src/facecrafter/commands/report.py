"""The demo's page: findings to HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from facecrafter.commands.attack import png
from facecrafter.commands.experiment import RELEASES, Findings
from facecrafter.commands.prepared import ATTACKS
from facecrafter.commands.rendering import data_uri, render
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import ResultError
from facecrafter.paper.figures import panels, tradeoff
from facecrafter.paper.points import faces, points, records_of
from facecrafter.paper.store import Store
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.verify import FACT
from facecrafter.pictures import sheet

SCALE = 2  # stored pixels for each pixel of a face; ours

Means = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Measured:
    """The trade-off on LFW, or why it cannot be shown."""

    picture: str | None = None  # data URI
    panels: tuple[str, ...] = ()  # attacks
    faces: str = ""  # how many photographs
    problem: str | None = None


def summary(found: Findings) -> dict[str, dict[str, dict[str, float]]]:
    """Mean SSIM and FSIM over faces, by release and attack."""
    return {
        release: {
            name: {
                "ssim": round(found.seen[release, name].ssim.mean().item(), 4),
                "fsim": round(found.seen[release, name].fsim.mean().item(), 4),
            }
            for name in ATTACKS
        }
        for release in RELEASES
    }


def as_html(
    found: Findings,
    recipe: AbstractDefence,
    facts: Mapping[str, Any],
    measured: Measured | None,
    own_photographs: bool,
) -> str:
    """One page that holds all its pictures.

    `facts`: the bundle's, for how alike strangers are. `measured`: the trade-off on LFW.
    """
    return render(
        "report.html",
        attacks=ATTACKS,
        releases=RELEASES,
        rows=[_row(found, i) for i in range(len(found.originals))],
        means=summary(found),
        worst=_worst(found),
        deviation=found.deviation.mean().item(),
        recipe=recipe,
        defence=type(recipe).__name__,
        alike=facts.get(FACT),
        measured=measured,
        own_photographs=own_photographs,
    )


def measured_tradeoff(results: Path, out: Path) -> Measured | None:
    """The figure of the cells measured on LFW; None where there are none."""
    try:
        records = records_of(LFW64, Store(results, results))
        if not records:
            return None
        found = points(records)
        drawn, _ = tradeoff(found, out / "tradeoff.svg", LFW64.title)
    except ResultError as error:  # a mixture of bundles, say
        return Measured(problem=str(error))
    picture = data_uri(drawn.read_bytes(), "svg+xml")
    return Measured(picture, panels(found), faces(records))


def _row(found: Findings, i: int) -> dict[str, Any]:
    """One face: the original and what each attacker sees of it."""
    return {
        "number": i + 1,
        "original": _picture(found.originals[i]),
        "deviation": found.deviation[i].item(),
        "seen": {
            release: {
                name: {
                    "picture": _picture(found.seen[release, name].faces[i]),
                    "ssim": found.seen[release, name].ssim[i].item(),
                    "fsim": found.seen[release, name].fsim[i].item(),
                }
                for name in ATTACKS
            }
            for release in RELEASES
        },
    }


def _worst(found: Findings) -> dict[str, float]:
    """Mean over faces of the identity similarity under each face's own strongest attack."""
    return {
        release: max_over([found.seen[release, name].fsim for name in ATTACKS])
        for release in RELEASES
    }


def max_over(scores: list[Tensor]) -> float:
    """For each face the highest of the scores; their mean."""
    highest = scores[0]
    for other in scores[1:]:
        highest = highest.maximum(other)
    return highest.mean().item()


def _picture(face: Tensor) -> str:
    return data_uri(png(sheet(face[None], columns=1, scale=SCALE)))
