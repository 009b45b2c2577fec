"""How many times cheaper is the default Crafter than the published one, and is it as good?

    python bench/craft.py --quick                     # 3 minutes on two cores, painted faces
    python bench/craft.py --quick --root DATA/lfw     # the same on real faces, with quality
    python bench/craft.py --full --root DATA/lfw      # whole batches, attacked here and now

Both run on the same photographs, in one process, one after the other: only the ratio means
something elsewhere. Of the published settings a CPU runs a few of the 450 outer steps, which are
alike, and multiplies; a GPU with --full runs all. Quality with --quick is read from `results/`,
where `facecrafter evaluate --published` has put it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro

from cost import Timed, Work, timed, work_of
from facecrafter.commands.prepared import in_project, prepare, shadows_of
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.privacy import AssignedDistance
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import FacecrafterError, SettingError
from facecrafter.inversion import Momentum
from facecrafter.paper.scenes import FEW, Scene, lfw64_batch
from facecrafter.paper.store import Store
from facecrafter.paper.tables.published import BETA, authors
from facecrafter.paper.threats import threats
from facecrafter.types import Images
from page import fill, table
from quality import Quality, as_good, attacked, stored

QUICK = 8  # faces of --quick; ours
PUBLISHED_STEPS = 3  # of 450 that a CPU runs; ours


@dataclass(frozen=True)
class Setting:
    """A column of the table."""

    name: str
    recipe: Crafter
    judged: Crafter | None = None  # whose stored quality is this one's too
    slow: bool = False  # only a few steps are run on a CPU


def ladder() -> tuple[Setting, ...]:
    """From the published settings to the default; each changes one part of the one before."""
    published, few = Crafter.as_published(BETA), authors(BETA)
    assigned = replace(few, distance=AssignedDistance())
    searching = few.opponent
    assert isinstance(searching, LatentOpponent)
    assert isinstance(searching.follow, Momentum)
    short = replace(searching.follow, steps=3)
    carried = replace(assigned, opponent=replace(searching, follow=short, start="previous"))
    default, knowing = Crafter(), Crafter(utility=TaskUtility())
    return (
        Setting("published", published, few, slow=True),
        Setting("4 products, not 121", few, few, slow=True),
        Setting("assignment, not critic", assigned, slow=True),
        Setting("z* carried over, 3 steps", carried, slow=True),
        Setting("default: pixels, 40 steps", default, default),
        Setting("default, TaskUtility", knowing, knowing),
    )


SETTINGS = ladder()


@dataclass(frozen=True)
class Column:
    """What was found of a setting."""

    setting: Setting
    work: Work
    timed: Timed
    quality: Quality | None


@dataclass(frozen=True, kw_only=True)
class Craft:
    """Run the published Crafter and the default on the same photographs; print one table.

    The last line says how many times cheaper the default is, and whether it is as good: at most
    one point more of the faces recognised under the strongest attack, mean AUC at most 0.005 lower.
    """

    root: Path | None = None  # folder of LFW; None = painted faces, and no quality
    bundle: Path = Path("bundles/lfw64")  # folder of networks; decoders in BUNDLE-shadow1, -shadow2
    quick: bool = False  # 8 faces: under 3 minutes on two cores
    full: bool = False  # attack now instead of reading results; on a GPU all published steps
    steps: int | None = None  # published steps to run; None = 3, and all on a GPU with --full
    cache: Path | None = Path("runs/crops")  # folder of decoded crops
    results: Path = Path("results")  # of `facecrafter evaluate --published`
    page: Path | None = None  # docs/performance.md, to write the table into it
    device: Literal["cpu", "cuda"] = "cpu"  # where to compute

    def run(self) -> None:
        """Measure, print, and write."""
        if self.quick and self.full:
            raise SettingError("--quick and --full exclude each other: give one of them.")
        scene, offline, images = self._what()
        columns = [self._column(setting, scene, offline, images) for setting in SETTINGS]
        told = f"{_head(columns, len(images), images.device)}\n\n{_table(columns)}"
        fast = [column for column in columns if not column.setting.slow]  # the default is the last
        verdict = "\n\n".join(_verdict(columns[0], column) for column in reversed(fast))
        print(f"{told}\n\n{verdict}")
        if self.page is not None:
            fill(self.page, "craft", f"{told}\n\n{verdict}")

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
        few = None if self.full and images.is_cuda else PUBLISHED_STEPS
        print(f"{setting.name} ...", file=sys.stderr, flush=True)
        work = work_of(setting.recipe, offline, images)
        done = timed(setting.recipe, offline, images, (self.steps or few) if setting.slow else None)
        quality = None
        if scene is not None:
            attacks = threats(decoders=len(scene.shadows))
            if setting.judged is not None:
                quality = stored(scene, attacks, setting.judged, Store(self.results, Path()))
            if self.full and done.features is not None:
                quality = attacked(scene, attacks, done.features)
        return Column(setting, work, done, quality)


def _head(columns: Sequence[Column], faces: int, device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    slow = [column for column in columns if column.timed.ran < column.setting.recipe.steps]
    multiplied = "".join(
        f" Of the {column.setting.recipe.steps} steps of `{column.setting.name}` "
        f"{column.timed.ran} were run, and multiplied."
        for column in slow
    )
    return (
        f"{faces} faces at a time, {where}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. All figures are per face.{multiplied}"
    )


def _table(columns: Sequence[Column]) -> str:
    names = sorted({name for column in columns for name in column.work.passes})
    rows = [
        [f"passes, {name}", *(_count(c.work.passes.get(name)) for c in columns)] for name in names
    ]
    rows.append(["operations, 10^9", *(f"{c.work.operations / 1e9:,.1f}" for c in columns)])
    rows.append(["seconds", *(f"{c.timed.seconds:,.3g}" for c in columns)])
    rows.append(["peak memory of the batch, MiB", *(_count(c.timed.mebibytes) for c in columns)])
    if any(column.quality for column in columns):
        attacks = next(list(c.quality.eval_acc) for c in columns if c.quality)
        rows += [
            [f"Eval Acc, {name}", *(_acc(c.quality, name) for c in columns)] for name in attacks
        ]
        rows.append(["L_u", *(f"{c.quality.l_u:.3f}" if c.quality else "" for c in columns)])
        rows.append(["mean AUC", *(f"{c.quality.auc:.3f}" if c.quality else "" for c in columns)])
    return table(["", *(column.setting.name for column in columns)], rows)


def _verdict(published: Column, ours: Column) -> str:
    times = published.timed.seconds / ours.timed.seconds
    if published.quality is None or ours.quality is None:
        answer = "no (not measured: give --root, and run `facecrafter evaluate --published` first)"
    else:
        answer = "yes" if as_good(ours.quality, published.quality) else "no"
    name = "" if ours.setting.recipe == Crafter() else f" ({ours.setting.name})"
    return f"speed-up{name}: {times:,.0f} x at equal-or-better quality: {answer}"


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def _acc(quality: Quality | None, name: str) -> str:
    return "" if quality is None else f"{100 * quality.eval_acc[name]:.1f} %"


if __name__ == "__main__":
    try:
        tyro.cli(Craft, config=(tyro.conf.FlagCreatePairsOff,)).run()
    except FacecrafterError as error:
        sys.exit(f"bench/craft.py: {error}")
