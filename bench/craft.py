"""How many times cheaper is the default Crafter than the published one, and is it as good?

    python bench/craft.py --quick                     # 3 minutes on two cores
    python bench/craft.py --root DATA/lfw             # a whole batch of real faces
    python bench/craft.py --full --root DATA/lfw      # and attacked here and now

Both run on the same faces, in one process, one after the other: only the ratio means something
elsewhere. Of the published settings a CPU runs a few of the 450 outer steps, which are alike, and
multiplies; a GPU with --full runs all. Without --full the quality is read from `results/`, where
`facecrafter evaluate --published` has put it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro

from cost import Timed, Work, timed, work_of
from facecrafter.commands.common import Common
from facecrafter.commands.prepared import in_project, prepare, shadows_of
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.privacy import AssignedDistance
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import FacecrafterError, SettingError
from facecrafter.inversion import Momentum
from facecrafter.paper.report import markdown
from facecrafter.paper.scenes import FEW, Scene, lfw64_batch
from facecrafter.paper.store import Store
from facecrafter.paper.tables.published import AUTHORS_BETAS, BETAS, PUBLISHED, authors
from facecrafter.paper.threats import threats
from facecrafter.types import Features, Images
from page import blocks, fill
from quality import LESS_USEFUL, MORE_RECOGNISED, Quality, as_good, attacked, stored

QUICK = 8  # faces of --quick; ours
STEPS = 3  # of the 450 published ones that a CPU runs; ours


@dataclass(frozen=True)
class Setting:
    """A column of the table."""

    name: str
    recipe: Crafter
    judged: tuple[Crafter, ...] = ()  # at the same cost, by beta: whose quality speaks for it
    published: bool = False  # so slow that a CPU runs a few steps only


def ladder() -> tuple[Setting, ...]:
    """From the published settings one part after the other is changed; then the default."""
    theirs = tuple(authors(beta) for beta in AUTHORS_BETAS)
    published, few = Crafter.as_published(theirs[0].beta), theirs[0]
    assigned = replace(few, distance=AssignedDistance())
    searching = few.opponent
    assert isinstance(searching, LatentOpponent)
    assert isinstance(searching.follow, Momentum)
    short = replace(searching.follow, steps=3)
    carried = replace(assigned, opponent=replace(searching, follow=short, start="previous"))
    default, knowing = Crafter(), Crafter(utility=TaskUtility())
    return (
        Setting("published", published, theirs, published=True),
        Setting("4 products, not 121", few, published=True),
        Setting("assignment, not critic", assigned, published=True),
        Setting("z* carried over, 3 steps", carried, published=True),
        Setting("default", default, tuple(replace(default, beta=beta) for beta in BETAS)),
        Setting("with TaskUtility", knowing, tuple(replace(knowing, beta=b) for b in BETAS)),
    )


SETTINGS = ladder()


@dataclass(frozen=True)
class Column:
    """What was found of a setting."""

    setting: Setting
    work: Work
    timed: Timed
    qualities: Mapping[float, Quality]  # by beta


@dataclass(frozen=True, kw_only=True)
class Craft:
    """Run the published Crafter and the default on the same faces; print what they cost and give.

    The last line says how many times cheaper the default is, and whether it is as good at one of
    its betas: at most one point more of the faces recognised under the strongest attack, mean AUC
    at most 0.005 lower, against the published settings at that of their betas where they hide most.
    """

    root: Path | None = None  # folder of LFW; None = painted faces
    bundle: Path = Path("bundles/lfw64")  # folder of networks; decoders in BUNDLE-shadow1, -shadow2
    quick: bool = False  # 8 faces, not 32
    full: bool = False  # attack now, do not read results; on a GPU run all published steps
    steps: int = STEPS  # published steps to run on a CPU, or without --full
    cache: Path | None = Path("runs/crops")  # folder of decoded crops
    results: Path = Path("results")  # of `facecrafter evaluate --published`
    page: Path | None = None  # docs/performance.md, to write the tables into it
    device: Literal["cpu", "cuda"] = "cpu"  # where to compute

    def run(self) -> None:
        """Measure, print, and write."""
        self._refuse()
        scene, offline, images = self._what()
        columns: list[Column] = []
        for setting in SETTINGS:
            print(f"{setting.name} ...", file=sys.stderr, flush=True)
            columns.append(self._column(setting, scene, offline, images))
        told = [_head(columns, len(images), images.device), costs(columns), *qualities(columns)]
        told += reversed([_verdict(columns[0], c) for c in columns if not c.setting.published])
        print("\n\n".join(told))
        if self.page is not None:
            fill(self.page, {"craft": "\n\n".join(told)})

    def _refuse(self) -> None:
        Common(device=self.device).torch_device()
        if self.full and (self.quick or self.root is None):
            raise SettingError("--full attacks a whole batch of LFW: give --root, and no --quick.")
        if self.steps < 1:
            raise SettingError(f"--steps {self.steps}: give 1 or more.")
        if self.page is not None:
            blocks(self.page, "craft")

    def _what(self) -> tuple[Scene | None, Offline, Images]:
        """Where the faces are from, what the device holds, and the faces."""
        device, count = torch.device(self.device), QUICK if self.quick else FEW
        if self.root is None:
            ready = prepare(self.bundle, device)
            faces = synthetic(0, people=count, photographs=1, size=ready.size)
            return None, ready.offline(), faces.images().to(device)
        shadows = shadows_of(self.bundle)
        scene = lfw64_batch(self.root, in_project(self.bundle), shadows, self.cache, self.device)
        return scene, scene.offline(), scene.images(range(count))

    def _column(
        self, setting: Setting, scene: Scene | None, offline: Offline, images: Images
    ) -> Column:
        few = setting.published and not (self.full and images.is_cuda)
        work = work_of(setting.recipe, offline, images)
        done = timed(setting.recipe, offline, images, self.steps if few else None)
        found: dict[float, Quality] = {}
        for recipe in setting.judged:
            if self.full and scene is not None and done.features is not None:
                released = done.features if recipe == setting.recipe else _all(recipe, scene)
                found[recipe.beta] = attacked(scene, threats(decoders=len(scene.shadows)), released)
            elif quality := stored(Store(self.results, Path()), PUBLISHED.scene, recipe):
                found[recipe.beta] = quality
        return Column(setting, work, done, found)


def _all(recipe: Crafter, scene: Scene) -> Features:
    """What the recipe releases of all faces."""
    faces = scene.images(range(len(scene.private_test)))
    released = timed(recipe, scene.offline(), faces).features
    assert released is not None
    return released


def _head(columns: Sequence[Column], faces: int, device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    some = [c for c in columns if c.timed.ran < c.setting.recipe.steps]
    multiplied = "".join(
        f" Of the {c.setting.recipe.steps} steps of `{c.setting.name}` {c.timed.ran} were run, and "
        "multiplied."
        for c in some
    )
    return (
        f"{faces} faces at a time, {where}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. Passes, operations and seconds are per face.{multiplied}"
    )


def costs(columns: Sequence[Column]) -> str:
    """What each setting costs, as Markdown."""
    names = sorted({name for column in columns for name in column.work.passes})
    rows = [[f"passes, {n}", *(_count(c.work.passes.get(n)) for c in columns)] for n in names]
    rows.append(["operations, 10^9", *(f"{c.work.operations / 1e9:,.1f}" for c in columns)])
    rows.append(["seconds", *(seconds(c.timed.seconds) for c in columns)])
    rows.append(["peak memory of the batch, MiB", *(_count(c.timed.mebibytes) for c in columns)])
    return markdown(["", *(column.setting.name for column in columns)], rows)


def qualities(columns: Sequence[Column]) -> list[str]:
    """What each setting gives, as Markdown; nothing where nothing was measured."""
    found = [(c, beta, one) for c in columns for beta, one in c.qualities.items()]
    if not found:
        return []
    attacks = list(found[0][2].eval_acc)
    goals = columns[0].qualities
    rows = [
        [
            column.setting.name,
            f"{beta:g}",
            *(f"{100 * one.eval_acc[name]:.1f} %" for name in attacks),
            f"{one.l_u:.3f}",
            f"{one.auc:.3f}",
            ", ".join(f"{b:g}" for b, goal in goals.items() if as_good(one, goal)),
            one.source,
        ]
        for column, beta, one in found
    ]
    recognised = [f"Eval Acc, {name}" for name in attacks]
    heads = ["setting", "beta", *recognised, "L_u", "mean AUC", "as good as", "measured"]
    told = (
        f"On the {FEW} faces of `{PUBLISHED.scene}`, seed 0. The quality of `published` is that of "
        "its series by 4 products. `as good as`: the betas of `published` that are reached, with "
        "Eval Acc of the strongest attack at most "
        f"{100 * MORE_RECOGNISED:g} point above, mean AUC at most {LESS_USEFUL:g} below; one face "
        f"is {100 / FEW:.1f} points."
    )
    return [markdown(heads, rows), told]


def _verdict(published: Column, ours: Column) -> str:
    times = published.timed.seconds / ours.timed.seconds
    name = "" if ours.setting.name == "default" else f", {ours.setting.name}"
    answer = _answer(published.qualities, ours.qualities)
    return f"speed-up{name}: {times:,.0f} x at equal-or-better quality: {answer}"


def _answer(theirs: Mapping[float, Quality], ours: Mapping[float, Quality]) -> str:
    """Where the published settings hide nothing, equal privacy is easy: they are met at the beta
    where they hide most.
    """
    if not theirs or not ours:
        return "no (not measured: `facecrafter evaluate --published` first)"
    point = min(theirs, key=lambda beta: theirs[beta].worst)
    good = [beta for beta, one in ours.items() if as_good(one, theirs[point])]
    if not good:
        return f"no (none of {len(ours)} betas against published beta {point:g})"
    return f"yes (beta {good[0]:g} of {len(ours)} tried against published beta {point:g})"


def seconds(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


if __name__ == "__main__":
    try:
        tyro.cli(Craft, config=(tyro.conf.FlagCreatePairsOff,)).run()
    except FacecrafterError as error:
        sys.exit(f"bench/craft.py: {error}")
