"""How many times cheaper is the default Crafter than the published one, and is it as good?

    python bench/craft.py --quick                     # 3 minutes on two cores
    python bench/craft.py --root DATA/lfw             # a whole batch of real faces
    python bench/craft.py --full --root DATA/lfw      # and attacked here and now
    python bench/craft.py --full --paper-size --faces 128 --device cuda

Both run on the same faces, in one process, one after the other: only the ratio means something
elsewhere. Of the published settings a CPU runs a few of the 450 outer steps, which are alike, and
multiplies; a GPU with --full runs all. Quality that is not measured here and now is read from
`results/`, where `facecrafter evaluate --table published` has put it.
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
from facecrafter.commands.prepared import DEFAULT, in_project, prepare, shadows_of
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.privacy import AssignedDistance
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import FacecrafterError, SettingError
from facecrafter.inversion import Momentum
from facecrafter.models.part import frozen
from facecrafter.models.surrogate import Surrogate
from facecrafter.paper.markdown import markdown
from facecrafter.paper.scenes import FEW, Scene, lfw64_batch
from facecrafter.paper.store import Store
from facecrafter.paper.tables.published import AUTHORS_BETAS, BETAS, PUBLISHED, authors
from facecrafter.paper.threats import THREATS, threats
from facecrafter.types import Features, Images
from page import blocks, fill, seconds
from quality import LESS_USEFUL, MORE_RECOGNISED, Quality, as_good, attacked, hides, stored
from sizes import SIZES, made, some

QUICK = 8  # faces of --quick; ours
STEPS = 3  # of the 450 published ones that a CPU runs at least; ours
LATENT = 500  # dimensions of --paper-size; paper, for CelebA


@dataclass(frozen=True)
class Setting:
    """A column of the table."""

    name: str
    recipe: Crafter
    # at the same cost, by beta: whose quality speaks for it where it is read from results
    judged: tuple[Crafter, ...] = ()
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
    mixed = replace(default, opponent=PixelOpponent(bfloat16=True))
    return (
        Setting("published", published, theirs, published=True),
        Setting("4 products, not 121", few, published=True),
        Setting("assignment, not critic", assigned, published=True),
        Setting("z* carried over, 3 steps", carried, published=True),
        Setting("default", default, tuple(replace(default, beta=beta) for beta in BETAS)),
        Setting("in bfloat16", mixed),
        Setting("with TaskUtility", knowing, tuple(replace(knowing, beta=b) for b in BETAS)),
    )


SETTINGS = ladder()


@dataclass(frozen=True, eq=False)
class What:
    """What is crafted, and what the device holds."""

    told: str
    offline: Offline
    images: Images
    scene: Scene | None = None  # where the faces' people are known


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
    Where they hide nothing at all the answer is no, whatever ours do.
    """

    root: Path | None = None  # folder of LFW; None = synthetic faces
    bundle: Path = DEFAULT  # folder of networks; decoders in BUNDLE-shadow1, -shadow2
    paper_size: bool = False  # untrained networks of the paper's sizes, and noise for photographs
    faces: int = FEW  # in the batch that is timed
    quick: bool = False  # 8 faces
    full: bool = False  # attack what is crafted here; on a GPU run all published steps
    steps: int = STEPS  # published steps to run on a CPU, or without --full
    cache: Path | None = Path("runs/crops")  # folder of decoded crops
    results: Path = Path("results")  # of `facecrafter evaluate --table published`
    page: Path | None = None  # docs/performance.md, to write the tables into it
    device: Literal["cpu", "cuda"] = "cpu"  # where to compute

    def run(self) -> None:
        """Measure, print, and write."""
        self._refuse()
        what = self._what()
        # counted first: networks that a setting lacks are missed before the long work
        works = [work_of(setting.recipe, what.offline, what.images) for setting in SETTINGS]
        columns: list[Column] = []
        for setting, work in zip(SETTINGS, works, strict=True):
            print(f"{setting.name} ...", file=sys.stderr, flush=True)
            columns.append(self._column(setting, work, what))
        plain = self._plain(what)
        told = [_head(columns, what), costs(columns), *qualities(columns, plain)]
        told += verdicts(columns, plain)
        print("\n\n".join(told))
        if self.page is not None:
            fill(self.page, {"craft": "\n\n".join(told)})

    def _refuse(self) -> None:
        Common(device=self.device).torch_device()
        if self.full and (self.quick or (self.root is None and not self.paper_size)):
            raise SettingError("--full attacks a whole batch of LFW: give --root, and no --quick.")
        if self.paper_size and self.root is not None:
            raise SettingError(
                "--paper-size crafts noise with untrained networks: leave out --root."
            )
        if self.root is not None and self.faces != FEW:
            raise SettingError(f"--faces {self.faces} with --root: the scene has {FEW} faces.")
        if self.steps < STEPS or self.faces < 1:
            raise SettingError(
                f"--steps {self.steps}, --faces {self.faces}: give {STEPS} steps or more, and a "
                "face or more."
            )
        if self.page is not None:
            blocks(self.page, "craft")

    def _what(self) -> What:
        device, count = torch.device(self.device), QUICK if self.quick else self.faces
        if self.paper_size:
            size = SIZES[0]
            offline = replace(made(size, LATENT, self.device), surrogate=untrained(self.device))
            told = f"{count} images of noise, untrained networks of the paper's sizes"
            return What(told, offline, some(size, count, self.device))
        if self.root is None:
            ready = prepare(self.bundle, device)
            faces = synthetic(0, people=count, photographs=1, size=ready.size)
            return What(f"{count} synthetic faces", ready.offline(), faces.images().to(device))
        shadows = shadows_of(self.bundle)
        scene = lfw64_batch(self.root, in_project(self.bundle), shadows, self.cache, self.device)
        told = f"{count} faces of `{scene.name}`"
        return What(told, scene.offline(), scene.images(range(count)), scene)

    def _column(self, setting: Setting, work: Work, what: What) -> Column:
        few = setting.published and not (self.full and what.images.is_cuda)
        done = timed(setting.recipe, what.offline, what.images, self.steps if few else None)
        found: dict[float, Quality] = {}
        for recipe in setting.judged:
            if quality := self._quality(setting, recipe, done, what):
                found[recipe.beta] = quality
        return Column(setting, work, done, found)

    def _quality(
        self, setting: Setting, recipe: Crafter, done: Timed, what: What
    ) -> Quality | None:
        if not (self.full and what.scene is not None and done.features is not None):
            return self._stored(recipe, what)
        here = replace(setting.recipe, beta=recipe.beta)  # no series by fewer products
        features = done.features
        if here != setting.recipe:
            features = timed(here, what.offline, what.images).features
        assert features is not None
        return _attacked(what.scene, features)

    def _plain(self, what: What) -> Quality | None:
        if not (self.full and what.scene is not None):
            return self._stored(Plain(), what)
        with torch.no_grad():
            return _attacked(what.scene, what.offline.encode(what.images))

    def _stored(self, defence: AbstractDefence, what: What) -> Quality | None:
        """Measured before, with these networks: without the faces only the bundle's name tells."""
        if self.paper_size or (what.scene is None and self.bundle != DEFAULT):
            return None
        digest = None if what.scene is None else what.scene.digest
        return stored(Store(self.results, Path()), PUBLISHED.scene, defence, digest)


def _attacked(scene: Scene, features: Features) -> Quality:
    return attacked(scene, threats(decoders=len(scene.shadows)), features)


def untrained(device: str) -> Surrogate:
    """The networks of `SIZES` have none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return frozen(Surrogate(SIZES[0].channels, 40)).to(device)


def _head(columns: Sequence[Column], what: What) -> str:
    device = what.images.device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    some = [c for c in columns if c.timed.ran < c.setting.recipe.steps]
    multiplied = "".join(
        f" Of {steps} steps {ran} were run, and multiplied: {names}."
        for (steps, ran), names in _by_steps(some).items()
    )
    return (
        f"{what.told}, {where}, {torch.get_num_threads()} threads, torch {torch.__version__}. "
        f"Passes, operations and seconds are per face.{multiplied}"
    )


def _by_steps(columns: Sequence[Column]) -> dict[tuple[int, int], str]:
    """Names of settings by steps that they have and steps that were run."""
    found: dict[tuple[int, int], list[str]] = {}
    for c in columns:
        found.setdefault((c.setting.recipe.steps, c.timed.ran), []).append(f"`{c.setting.name}`")
    return {steps: ", ".join(names) for steps, names in found.items()}


def costs(columns: Sequence[Column]) -> str:
    """What each setting costs, as Markdown."""
    names = sorted({name for column in columns for name in column.work.passes})
    rows = [[f"passes, {n}", *(_count(c.work.passes.get(n)) for c in columns)] for n in names]
    rows.append(["operations, 10^9", *(f"{c.work.operations / 1e9:,.1f}" for c in columns)])
    rows.append(["seconds", *(seconds(c.timed.seconds) for c in columns)])
    rows.append(["peak memory of the batch, MiB", *(_count(c.timed.mebibytes) for c in columns)])
    return markdown(["", *(column.setting.name for column in columns)], rows)


def qualities(columns: Sequence[Column], plain: Quality | None) -> list[str]:
    """What each setting gives, as Markdown; nothing where nothing was measured."""
    goals = columns[0].qualities
    lines = [] if plain is None else [_line("no defence", "", plain, {})]
    for column in columns:
        for beta, one in column.qualities.items():
            lines.append(_line(column.setting.name, f"{beta:g}", one, goals))
    if not lines:
        return []
    recognised = [f"Eval Acc, {threat.name}" for threat in THREATS]
    heads = ["setting", "beta", *recognised, "strongest", "L_u", "mean AUC", "as good as"]
    heads.append("measured")
    told = (
        f"On the {FEW} faces of `{PUBLISHED.scene}`. The quality of `published` that is read from "
        "results is that of its series by 4 products. `as good as`: the betas of `published` that "
        "are reached, with Eval Acc of the strongest attack at most "
        f"{100 * MORE_RECOGNISED:g} point above, mean AUC at most {LESS_USEFUL:g} below; one face "
        f"is {100 / FEW:.1f} points. Of several seeds: the mean, plus or minus half of the range; "
        "the strongest attack is that of each seed."
    )
    return [markdown(heads, lines), told]


def _line(name: str, beta: str, one: Quality, goals: Mapping[float, Quality]) -> list[str]:
    return [
        name,
        beta,
        *(f"{100 * one.eval_acc[threat.name]:.1f} %" for threat in THREATS),
        _spread(100 * one.worst, 100 * one.spread(lambda q: q.worst), 1) + " %",
        f"{one.l_u:.3f}",
        _spread(one.auc, one.spread(lambda q: q.auc), 3),
        ", ".join(f"{b:g}" for b, goal in goals.items() if as_good(one, goal)),
        one.source,
    ]


def _spread(mean: float, half: float, places: int) -> str:
    """With the spread over seeds, where there are several."""
    return f"{mean:.{places}f}" + (f" ± {half:.{places}f}" if half else "")


def verdicts(columns: Sequence[Column], plain: Quality | None) -> list[str]:
    """What the comparison rests on, then a line for each of ours, that of the default last."""
    published, ours = columns[0], [c for c in columns if c.setting.judged][1:]
    told, good = answers(published.qualities, [c.qualities for c in ours], plain)
    lines = [_verdict(published, c, yes) for c, yes in zip(ours, good, strict=True)]
    return [told, *reversed(lines)]


def _verdict(published: Column, ours: Column, yes: bool) -> str:
    times = published.timed.seconds / ours.timed.seconds
    name = "" if ours.setting.name == "default" else f", {ours.setting.name}"
    answer = "yes" if yes else "no"
    return f"speed-up{name}: {times:,.0f} x at equal-or-better quality: {answer}"


def answers(
    theirs: Mapping[float, Quality], ours: Sequence[Mapping[float, Quality]], plain: Quality | None
) -> tuple[str, list[bool]]:
    """Where the published settings hide nothing, equal privacy is easy: they are met at the beta
    where they hide most, and if that is nothing too, nothing is told.
    """
    no = [False] * len(ours)
    if not theirs or plain is None or not any(ours):
        return "The quality is not measured: `facecrafter evaluate --table published` first.", no
    point = min(theirs, key=lambda beta: theirs[beta].worst)
    if not hides(theirs[point], plain):
        return "The published settings hide nothing at any beta that is measured.", no
    answers = [any(as_good(one, theirs[point]) for one in some.values()) for some in ours]
    return f"Held against the published settings at beta {point:g}, where they hide most.", answers


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


if __name__ == "__main__":
    try:
        tyro.cli(Craft, config=(tyro.conf.FlagCreatePairsOff,)).run()
    except FacecrafterError as error:
        sys.exit(f"bench/craft.py: {error}")
