"""How the cost of a face grows with the batch, the image, the feature and the latent space.

    python bench/scaling.py                                    # some minutes on two cores
    python bench/scaling.py --page docs/performance.md         # and write tables and figure

The networks have the paper's sizes and random weights, on which no cost depends. A few steps of
crafting are run, which are alike, and multiplied.
"""

import csv
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cost import Timed, Work, now, timed, work_of
from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.errors import FacecrafterError
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16
from facecrafter.paper.figures import MARKS, svg
from facecrafter.paper.files import write_whole
from facecrafter.randomness import stream
from page import fill, table
from passes import Operations

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
BATCH = 64  # where something else grows; ours
LATENTS = (128, 500, 1000, 3000)  # ours, the paper's for CelebA, between, the paper's for LFW
PAPER = "NVIDIA RTX 3090, paper"


@dataclass(frozen=True)
class Size:
    """A row of Table VII: a cut, and how large its images and features are."""

    name: str
    network: Callable[[], AbstractSplitModel]
    channels: int
    image: int  # pixels
    paper: float  # seconds per image; paper, Table VII


SIZES = (
    Size("64 x 16 x 16", lambda: ResNet(40), 64, 64, 27.15),
    Size("128 x 16 x 16", lambda: Vgg16(40, hidden=64, pool=1), 128, 64, 30.82),
    Size("64 x 32 x 32", lambda: ResNet(40), 64, 128, 53.71),
)


@dataclass(frozen=True)
class Point:
    """One measurement."""

    size: Size
    batch: int
    latent: int
    work: Work
    timed: Timed
    peak: float  # operations in a second that this machine reaches
    encoding: int  # operations of Enc, once

    @property
    def floor(self) -> float:
        """Seconds per face if every operation of the recipe ran at the machine's peak."""
        return self.work.operations / self.peak

    @property
    def least(self) -> float:
        """The same for one gradient: Enc(X), backwards once, and F_X."""
        return 3 * self.encoding / self.peak


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Measure, print tables, and write them and a figure if a page is named."""

    steps: int = 3  # of each crafting that are run; the rest is multiplied
    largest: int = BATCHES[-1]  # batch; memory grows with it
    published: bool = (
        False  # time the published settings too: a step of each size, minutes on a CPU
    )
    page: Path | None = None  # docs/performance.md, to write tables and figure
    device: Literal["cpu", "cuda"] = "cpu"  # where to compute

    def run(self) -> None:
        """Measure, print, and write."""
        peak = peak_of(torch.device(self.device))
        batches = [b for b in BATCHES if b <= self.largest]
        grown = [self._point(size, batch, LATENTS[0], peak) for size in SIZES for batch in batches]
        latents = [self._point(SIZES[0], BATCH, latent, peak) for latent in LATENTS]
        told = "\n\n".join([self._head(peak), by_batch(grown), by_latent(latents)])
        seventh = self._table7(grown, peak)
        print(f"{told}\n\n{seventh}")
        if self.page is not None:
            fill(self.page, "scaling", told)
            fill(self.page, "table7", seventh)
            picture = self.page.parent / "figures" / "scaling.svg"
            write_whole(picture, draw(grown))
            write_whole(picture.with_suffix(".csv"), rows([*grown, *latents]).encode())

    def _point(self, size: Size, batch: int, latent: int, peak: float) -> Point:
        print(f"{size.name}, batch {batch}, latent {latent} ...", file=sys.stderr, flush=True)
        offline = made(size, latent, self.device)
        images = torch.rand(batch, 3, size.image, size.image, generator=stream(0, "images"))
        images, recipe = images.to(self.device), Crafter()
        timed(recipe, offline, images, 1)  # first use of memory and kernels
        done = timed(recipe, offline, images, self.steps)
        return Point(size, batch, latent, work_of(recipe, offline, images), done, peak, once(size))

    def _head(self, peak: float) -> str:
        cuda = self.device == "cuda"
        where = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
        return (
            f"{where}, torch {torch.__version__}, float32; {self.steps} of {Crafter().steps} steps "
            f"run and multiplied. A product of two large matrices reaches {peak / 1e9:,.0f} x 10^9 "
            "operations in a second here; `floor` is the recipe's own operations at that rate, "
            "`least` three passes through Enc at that rate: the photograph's feature, one "
            "gradient, and what is released."
        )

    def _table7(self, grown: Sequence[Point], peak: float) -> str:
        head = ["feature", "image", "default, here", f"Crafter, {PAPER}", "times"]
        if self.published:
            head.insert(3, "published, here")
        lines: list[list[str]] = []
        for size in SIZES:
            ours = min((p for p in grown if p.size == size), key=lambda p: p.timed.seconds)
            line = [size.name, f"{size.image}", f"{ours.timed.seconds:.3f}", f"{size.paper}"]
            line.append(f"{size.paper / ours.timed.seconds:,.0f}")
            if self.published:
                line.insert(3, f"{self._published(size).seconds:,.0f}")
            lines.append(line)
        told = (
            "Seconds per image, at the batch that is cheapest. The paper's latent space has 3,000."
        )
        return f"{table(head, lines)}\n\n{told}"

    def _published(self, size: Size) -> Timed:
        print(f"{size.name}, published ...", file=sys.stderr, flush=True)
        images = torch.rand(4, 3, size.image, size.image, generator=stream(0, "images"))
        recipe = Crafter.as_published(elements=size.channels * (size.image // 4) ** 2)
        return timed(recipe, made(size, LATENTS[-1], self.device), images.to(self.device), 1)


@cache
def made(size: Size, latent: int, device: str) -> Offline:
    """Untrained networks of the paper's sizes."""
    torch.manual_seed(0)
    target = fold_batch_norms(frozen(size.network())).to(device)
    prior = fold_batch_norms(frozen(Prior(latent, size=size.image, depth=4))).to(device)
    return Offline(target.encode, prior, frozen(Amortiser(size.channels, latent)).to(device))


@cache
def once(size: Size) -> int:
    """Operations of Enc on one image."""
    with Operations() as operations, torch.no_grad():
        made(size, LATENTS[0], "cpu").encode(torch.zeros(1, 3, size.image, size.image))
    return operations.total


def peak_of(device: torch.device, side: int = 4096, seconds: float = 3.0) -> float:
    """Operations in a second of the fastest of several products of two large matrices."""
    a, b = torch.rand(2, side, side, device=device)
    fastest, began = float("inf"), now(device)
    while now(device) - began < seconds:
        start = now(device)
        torch.mm(a, b)
        fastest = min(fastest, now(device) - start)
    return 2 * side**3 / fastest


def by_batch(points: Sequence[Point]) -> str:
    """Seconds and memory against the batch."""
    head = ["feature", "image", "batch", "s/face", "floor", "least", "share of peak", "MiB/face"]
    return table(
        head, [[p.size.name, f"{p.size.image}", f"{p.batch}", *_figures(p)] for p in points]
    )


def by_latent(points: Sequence[Point]) -> str:
    """The same against the latent space."""
    head = ["latent", "s/face", "floor", "least", "share of peak", "MiB/face"]
    return table(head, [[f"{p.latent:,}", *_figures(p)] for p in points])


def _figures(p: Point) -> list[str]:
    memory = "" if p.timed.mebibytes is None else f"{p.timed.mebibytes / p.batch:.1f}"
    share = f"{100 * p.floor / p.timed.seconds:.0f} %"
    return [f"{p.timed.seconds:.3f}", f"{p.floor:.3f}", f"{p.least:.4f}", share, memory]


def rows(points: Sequence[Point]) -> str:
    """CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["feature", "image", "batch", "latent", "seconds", "floor", "least", "mebibytes"]
    )
    for p in points:
        numbers = (p.timed.seconds, p.floor, p.least, p.timed.mebibytes or 0)
        told = (f"{number:.6g}" for number in numbers)
        writer.writerow([p.size.name, p.size.image, p.batch, p.latent, *told])
    return text.getvalue()


def draw(points: Sequence[Point]) -> bytes:
    """Seconds and memory of a face against the batch, with the floors."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for mark, colour, size in zip(MARKS, ("C0", "C1", "C2"), SIZES, strict=False):
        mine = [p for p in points if p.size == size]
        _line(left, mine, lambda p: p.timed.seconds, f"{colour}{mark}-", size.name)
        _line(left, mine, lambda p: p.floor, f"{colour}--", f"{size.name}, floor")
        _line(left, mine, lambda p: p.least, f"{colour}:", f"{size.name}, least")
        _line(right, mine, lambda p: p.timed.mebibytes or 0, f"{colour}{mark}-", size.name)
    left.set(ylabel="seconds per face", yscale="log")
    right.set(ylabel="MiB of the batch", yscale="log")
    for plot in (left, right):
        plot.set(xlabel="batch", xscale="log")
        plot.grid(alpha=0.3)
    left.legend(fontsize="x-small")
    return svg(figure)


def _line(
    plot: Axes, points: Sequence[Point], value: Callable[[Point], float], style: str, label: str
) -> None:
    plot.plot([p.batch for p in points], [value(p) for p in points], style, label=label)


if __name__ == "__main__":
    try:
        tyro.cli(Scaling, config=(tyro.conf.FlagCreatePairsOff,)).run()
    except FacecrafterError as error:
        sys.exit(f"bench/scaling.py: {error}")
