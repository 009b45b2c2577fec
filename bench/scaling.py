"""How the cost of a face grows with the batch, the image, the feature and the latent space.

    python bench/scaling.py                                        # some minutes on two cores
    python bench/scaling.py --published --page docs/performance.md # write tables and figure

The networks have the paper's sizes and random weights, on which no cost depends. A few steps of
crafting are run, which are alike, and multiplied.
"""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cost import Timed, Work, now, timed, work_of
from facecrafter.commands.common import Common
from facecrafter.defences.crafter import Crafter
from facecrafter.errors import FacecrafterError, SettingError
from facecrafter.paper.figures import MARKS, svg
from facecrafter.paper.files import write_whole
from facecrafter.paper.markdown import markdown
from page import blocks, fill, seconds
from passes import Operations
from sizes import SIZES, Size, made, some

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
BATCH = 64  # where the latent space grows; ours
LATENTS = (128, 500, 1000, 3000)  # ours, the paper's for CelebA, between, the paper's for LFW
SEVENTH = 4  # faces of the table of the paper's sizes; ours: the published settings are slow


@dataclass(frozen=True)
class Point:
    """One measurement of the default Crafter."""

    size: Size
    batch: int
    latent: int
    work: Work
    timed: Timed
    peak: float  # operations in a second that this machine reaches

    @property
    def floor(self) -> float:
        """Seconds per face if every operation of the recipe ran at the machine's peak."""
        return self.work.operations / self.peak

    @property
    def least(self) -> float:
        """The same for one gradient: Enc(X), backwards once, and F_X."""
        return 3 * encoding(self.size) / self.peak

    @property
    def mebibytes(self) -> float:
        """Of the batch; NaN where no one tells."""
        return float("nan") if self.timed.mebibytes is None else self.timed.mebibytes


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Measure, print tables, and write them and a figure if a page is named."""

    steps: int = 3  # of each crafting that are run; the rest is multiplied
    largest: int = BATCHES[-1]  # batch; memory grows with it
    # time the published settings at the paper's sizes too: some ten minutes on two cores
    published: bool = False
    page: Path | None = None  # docs/performance.md, to write tables and figure
    device: Literal["cpu", "cuda"] = "cpu"  # where to compute

    def run(self) -> None:
        """Measure, print, and write."""
        self._refuse()
        peak = peak_of(torch.device(self.device))
        batches = [b for b in BATCHES if b <= self.largest]
        grown = [self._point(size, batch, LATENTS[0], peak) for size in SIZES for batch in batches]
        beside = min(BATCH, self.largest)
        latents = [self._point(SIZES[0], beside, latent, peak) for latent in LATENTS]
        told = "\n\n".join([self._head(peak), by_batch(grown), by_latent(latents)])
        seventh = self._table7()
        print(f"{told}\n\n{seventh}")
        if self.page is not None:
            # without the published settings the table would lose the columns that it is about
            fill(self.page, {"scaling": told} | ({"table7": seventh} if self.published else {}))
            picture = self.page.parent / "figures" / "scaling.svg"
            write_whole(picture, draw(grown, latents))
            write_whole(picture.with_suffix(".csv"), rows([*grown, *latents]).encode())

    def _refuse(self) -> None:
        Common(device=self.device).torch_device()
        if not (1 <= self.steps <= Crafter().steps and self.largest >= 1):
            raise SettingError(
                f"--steps {self.steps}, --largest {self.largest}: give 1 to {Crafter().steps} "
                "steps, and a batch of 1 or more."
            )
        if self.page is not None:
            blocks(self.page, "scaling", "table7")

    def _point(self, size: Size, batch: int, latent: int, peak: float) -> Point:
        print(f"{size.name}, batch {batch}, latent {latent} ...", file=sys.stderr, flush=True)
        offline, images = made(size, latent, self.device), some(size, batch, self.device)
        done = timed(Crafter(), offline, images, self.steps)
        return Point(size, batch, latent, counted(size, latent), done, peak)

    def _head(self, peak: float) -> str:
        cuda = self.device == "cuda"
        where = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
        return (
            f"{where}, torch {torch.__version__}; {self.steps} of {Crafter().steps} steps of the "
            f"default run and multiplied. A product of two large matrices reaches "
            f"{peak / 1e9:,.0f} x 10^9 operations in a second here, in the precision of the "
            "convolutions. `floor`: the recipe's own operations at that rate. `least`: three "
            "passes through Enc at that rate, for the photograph's feature, one gradient, and what "
            "is released."
        )

    def _table7(self) -> str:
        lines = [self._row7(size) for size in SIZES]
        head = ["feature", "image", "paper, RTX 3090", "default, here"]
        head += ["published, here", "times"] * self.published
        told = (
            f"Seconds per image: paper, Table VII; here {SEVENTH} faces at a time, latent space of "
            f"{LATENTS[-1]:,}, {self.steps} steps run and multiplied."
            + " The paper's are for 500 steps of 150 products, `published` for the authors' 450 of "
            "121. `times`: published here by default here." * self.published
        )
        return f"{markdown(head, lines)}\n\n{told}"

    def _row7(self, size: Size) -> list[str]:
        offline, images = made(size, LATENTS[-1], self.device), some(size, SEVENTH, self.device)
        ours = timed(Crafter(), offline, images, self.steps).seconds
        line = [size.name, f"{size.image}", f"{size.paper}", seconds(ours)]
        if self.published:
            print(f"{size.name}, published ...", file=sys.stderr, flush=True)
            recipe = Crafter.as_published(elements=offline.encode(images)[0].numel())
            theirs = timed(recipe, offline, images, self.steps).seconds
            line += [seconds(theirs), f"{theirs / ours:,.0f}"]
        return line


@cache
def counted(size: Size, latent: int) -> Work:
    """What the default does for one face, whatever the batch."""
    return work_of(Crafter(), made(size, latent, "cpu"), some(size, 2, "cpu"))


@cache
def encoding(size: Size) -> int:
    """Operations of Enc on one image."""
    with Operations() as operations, torch.no_grad():
        made(size, LATENTS[0], "cpu").encode(some(size, 1, "cpu"))
    return operations.total


def peak_of(device: torch.device, budget: float = 3.0) -> float:
    """Operations in a second of the fastest of several products of two large matrices."""
    # as convolutions are computed: on a GPU in TF32, unless that is switched off
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    side = 8192 if device.type == "cuda" else 2048
    a, b = torch.rand(2, side, side, device=device)
    fastest, began = float("inf"), now(device)
    while now(device) - began < budget:
        start = now(device)
        torch.mm(a, b)
        fastest = min(fastest, now(device) - start)
    torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * side**3 / fastest


def by_batch(points: Sequence[Point]) -> str:
    """Seconds and memory against the batch."""
    head = ["feature", "image", "batch", "s/face", "floor", "least", "share of peak", "MiB/face"]
    lines = [[p.size.name, f"{p.size.image}", f"{p.batch}", *_figures(p)] for p in points]
    return markdown(head, lines)


def by_latent(points: Sequence[Point]) -> str:
    """The same against the latent space."""
    head = ["latent", "batch", "s/face", "floor", "least", "share of peak", "MiB/face"]
    return markdown(head, [[f"{p.latent:,}", f"{p.batch}", *_figures(p)] for p in points])


def _figures(p: Point) -> list[str]:
    memory = "" if p.timed.mebibytes is None else f"{p.timed.mebibytes / p.batch:.1f}"
    share = f"{100 * p.floor / p.timed.seconds:.0f} %"
    return [f"{p.timed.seconds:.3f}", f"{p.floor:.3f}", f"{p.least:.4f}", share, memory]


def rows(points: Sequence[Point]) -> str:
    """CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["feature", "image", "batch", "latent", "seconds", "floor", "least", "MiB"])
    for p in points:
        numbers = [f"{x:.6g}" for x in (p.timed.seconds, p.floor, p.least, p.mebibytes)]
        writer.writerow([p.size.name, p.size.image, p.batch, p.latent, *numbers])
    return text.getvalue()


def draw(grown: Sequence[Point], latents: Sequence[Point]) -> bytes:
    """Seconds of a face and memory of a batch against the batch and the latent space."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for mark, colour, size in zip(MARKS, ("C0", "C1", "C2"), SIZES, strict=False):
        mine = [p for p in grown if p.size == size]
        x = [p.batch for p in mine]
        _times(left, x, mine, f"{colour}{mark}", size.name)
        middle.plot(x, [p.mebibytes for p in mine], f"{colour}{mark}-", label=size.name)
    _times(right, [p.latent for p in latents], latents, f"C0{MARKS[0]}", SIZES[0].name)
    left.set(xlabel="batch", ylabel="seconds per face")
    middle.set(xlabel="batch", ylabel="MiB of the batch")
    right.set(xlabel="latent dimensions", ylabel="seconds per face")
    for plot in (left, middle, right):
        plot.set(xscale="log", yscale="log")
        plot.grid(alpha=0.3)
    left.legend(fontsize="x-small")
    return svg(figure)


def _times(plot: Axes, x: Sequence[int], points: Sequence[Point], style: str, label: str) -> None:
    colour = style[:2]
    plot.plot(x, [p.timed.seconds for p in points], f"{style}-", label=label)
    plot.plot(x, [p.floor for p in points], f"{colour}--", label=f"{label}, floor")
    plot.plot(x, [p.least for p in points], f"{colour}:", label=f"{label}, least")


if __name__ == "__main__":
    try:
        tyro.cli(Scaling, config=(tyro.conf.FlagCreatePairsOff,)).run()
    except FacecrafterError as error:
        sys.exit(f"bench/scaling.py: {error}")
