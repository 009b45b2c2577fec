"""`facecrafter demo`: see it."""

import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from PIL import Image

from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.experiment import findings
from facecrafter.commands.files import gather, photographs, write
from facecrafter.commands.prepared import ATTACKS, DEFAULT, in_project, prepare
from facecrafter.commands.protection import Protection, facts
from facecrafter.commands.report import as_html, measured_tradeoff, summary
from facecrafter.data.synthetic import synthetic
from facecrafter.types import Images

PAINTED = 7  # synthetic faces; ours: with the portrait they fill a batch of 8
PORTRAIT = (150, 38, 296, 184)  # left, top, right, bottom of the face in the portrait, pixels


@dataclass(frozen=True, kw_only=True)
class Demo(AbstractCommand):
    """Show faces, what attackers reconstruct from their features, and the same once protected.

    Takes painted faces and a public-domain portrait, or your own photographs with --images; sends
    them through the networks of the bundle, protects them, runs the three attacks on the plain and
    on the protected features, and writes one HTML page that needs no network. Under five minutes on
    two CPU cores; a second run takes up what was computed.

    Example: facecrafter demo --images photos --out demo
    """

    images: Path | None = None  # folder of your own photographs: one face each, cropped; ours
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    bundle: Path = DEFAULT  # folder of networks; ours
    out: Path = Path("demo")  # folder for report.html and what a second run takes up
    results: Path = Path("results")  # folder of measured cells, for the trade-off figure
    protection: Annotated[Protection, tyro.conf.arg(name="")] = field(default_factory=Protection)

    def run(self) -> Outcome:
        began = time.monotonic()
        ready = prepare(self.bundle, self.common.torch_device())
        recipe = self.protection.recipe(ready.bundle)
        if self.images is None:
            images = demo_faces(ready.size)
        else:
            images = photographs(gather([self.images]), ready.size, self.find_faces)
        computed = self.out / "computed"
        found = findings(ready, images, recipe, self.common.number(), computed)
        page = self.out / "report.html"
        measured = measured_tradeoff(in_project(self.results), computed)
        own = self.images is not None
        html = as_html(found, recipe, ready.bundle.facts, measured, own)
        write(page, html.encode())
        means = summary(found)
        lines = [
            f"  {name:<10} identity similarity {means['plain'][name]['fsim']:.2f} -> "
            f"{means['crafted'][name]['fsim']:.2f}, SSIM {means['plain'][name]['ssim']:.2f} -> "
            f"{means['crafted'][name]['ssim']:.2f}"
            for name in ATTACKS
        ]
        seconds = time.monotonic() - began
        head = f"{len(images)} faces, plain -> protected (lower is more private):"
        text = "\n".join([head, *lines, f"The report: {page.resolve()} ({seconds:.0f} s)"])
        told = {"report": str(page), "faces": len(images), "seconds": round(seconds, 1), **means}
        return Outcome(text, {**told, **facts(recipe)})


def demo_faces(size: int) -> Images:
    """Painted people, and the portrait where scikit-image is installed; RGB, 0 to 1."""
    painted = synthetic(seed=1, people=PAINTED, photographs=1, size=size).images()
    portrait = _portrait(size)
    return painted if portrait is None else torch.cat([portrait, painted])


def _portrait(size: int) -> Images | None:
    """Eileen Collins, photographed by NASA: in the public domain, shipped by scikit-image."""
    try:
        photograph = import_module("skimage.data").astronaut()
    except ImportError:
        return None
    face = Image.fromarray(photograph).crop(PORTRAIT)
    scaled = face.resize((size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(scaled).transpose(2, 0, 1).copy())[None].float() / 255
