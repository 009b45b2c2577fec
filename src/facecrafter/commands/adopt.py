"""`facecrafter adopt`: a published StyleGAN2 as the generator of an attacker."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor

from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.source import From, Source
from facecrafter.pictures import sheet
from facecrafter.progress import progress
from facecrafter.randomness import normal, permutation
from facecrafter.training.adoption import ADVICE, adopted, keep
from facecrafter.training.foreign import read
from facecrafter.training.framing import framing
from facecrafter.training.stylegan import Box, StyleGan

PICTURES = 32  # whose average shows how the generator frames a face, and that are shown; ours
FACES = 2000  # public faces whose average is taken, at most; ours
SHOWN = "faces.png"


@dataclass(frozen=True, kw_only=True)
class Adopt(AbstractCommand):
    """Make a published StyleGAN2 a generator that an attacker searches (A2), as MIRROR does.

    Reads a safetensors file of its weights in NVIDIA's names, never a pickle: docs/stylegan.md says
    how to write one. Measures where the mapping puts its styles, lays its average picture over the
    average public face to see which square of it is a face, and writes a folder that `evaluate
    --table priors --priors PRIORS` takes. Look at its faces.png: the average public face, the
    generator's, then some of its faces.

    Example: facecrafter adopt --weights ffhq.safetensors --root DATA/lfw --out PRIORS/ffhq
    """

    weights: Path  # safetensors file of a generator (G_ema)
    out: Path  # folder to write; its name is the generator's in tables
    source: From = field(default_factory=Source)
    # top, left and side of the square of a picture that is a face, pixels; None: as the public
    # faces are framed
    box: Annotated[Box | None, tyro.conf.arg(metavar="{None}|TOP LEFT SIDE")] = None
    # side beyond which no maps are computed, pixels: faster, without the finest details, which
    # small faces do not show; None: the generator's own
    largest: int | None = None
    measured: int = 20_000  # z by which the styles are measured; ours (MIRROR: 5,000)

    def run(self) -> Outcome:
        device = self.common.torch_device()
        prior = adopted(read(self.weights, ADVICE), self.source.size, None, self.largest).to(device)
        prior.measure(self.common.rng("measured"), self.measured)
        face = self._average_face() if self.box is None else None
        box, like = (self.box, None) if face is None else self._framed(prior, face)
        assert box is not None
        prior.frame(box)
        keep(self.out, prior, f"adopted {self.weights.name}, {self.measured} z")
        faces = torch.cat([prior(one).cpu() for one in self._latents(prior).split(1)])
        above = [] if face is None else [face[None], faces.mean(dim=0, keepdim=True)]
        sheet(torch.cat([*above, faces])).save(self.out / SHOWN)
        fits = "" if like is None else f", as like the average public face as r = {like:.2f}"
        return Outcome(
            f"rows {box[0]} to {box[0] + box[2]} and columns {box[1]} to {box[1] + box[2]} of its "
            f"pictures are faces{fits}; look at {self.out / SHOWN}",
            {"out": str(self.out), "box": list(box), "like": like, "latents": prior.latent_dim},
        )

    def _latents(self, prior: StyleGan) -> Tensor:
        like = next(prior.parameters())
        return normal(PICTURES, prior.latent_dim, rng=self.common.rng("adopted"), like=like)

    def _framed(self, prior: StyleGan, face: Tensor) -> tuple[Box, float]:
        total = torch.zeros(())
        with progress("pictures", PICTURES) as advance:
            for latents in self._latents(prior).split(1):  # one by one: the maps of 1024 are large
                total = total + prior.pictures(latents)[0].cpu()
                advance()
        return framing(total / PICTURES, face)

    def _average_face(self) -> Tensor:
        """(3, size, size) of some public faces."""
        public = self.source.splits().public
        order = permutation(len(public), self.common.rng("average face"))[:FACES]
        return public.images(np.sort(order.numpy())).mean(dim=0)
