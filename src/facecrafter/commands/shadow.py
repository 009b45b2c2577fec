"""`facecrafter train shadow`: one more decoder for the attacker, beside a bundle."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch

from facecrafter import bundle as bundles
from facecrafter.commands.assemble import as_stored, counts
from facecrafter.commands.card import timed
from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.figures import decoder_ssim
from facecrafter.commands.networks import target_of, trained
from facecrafter.commands.prepared import DEFAULT, in_project
from facecrafter.commands.rendering import render
from facecrafter.commands.source import From, Source
from facecrafter.errors import DataError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import AbstractPart
from facecrafter.types import Features


@dataclass(frozen=True, kw_only=True)
class TrainShadow(AbstractCommand):
    """Put one more decoder beside a bundle, for the attacker.

    `demo`, `attack`, `verify` and `evaluate` find BUNDLE-shadow1, BUNDLE-shadow2 and so on by
    their names, and the black-box attack decodes with each. Train it with a seed of its own.

    Example: facecrafter train shadow --data lfw --root DATA/lfw --decoder runs/decoder2
    """

    source: From = field(default_factory=Source)
    bundle: Path = DEFAULT  # whose features it reads
    decoder: Path = Path("runs/decoder")  # training folder, or a bundle that has one
    out: Path | None = None  # folder; None = the first BUNDLE-shadow1, -shadow2, ... that is free

    def run(self) -> Outcome:
        """Measure it and write it."""
        device, splits, size = self.common.torch_device(), self.source.splits(), self.source.size
        found = trained(self.decoder, "decoder", device, size)
        encode = fold_batch_norms(target_of(self.bundle, device)).encode
        with torch.no_grad():
            _refuse_other_features(found.network, encode(splits.public.images([0]).to(device)))
        stored = as_stored({"decoder": found.network}, True, device).need("decoder")
        read = round(decoder_ssim(stored, encode, splits.private_test, device), 4)
        facts: dict[str, Any] = {
            "size": size,
            "data": counts(self.source.data, splits),
            "recipes": {"decoder": found.recipe},
            "seconds": {"decoder": found.seconds},
            "figures": {"decoder_ssim": read},
        }
        out = self.out or _free(in_project(self.bundle))
        told = {"name": out.name, "bundle": self.bundle.name, "command": timed("decoder", facts)}
        text = render("shadow.md", facts=facts, **told)
        bundles.save(out, {"decoder": found.network}, facts, text, half=True)
        return Outcome(f"{out}: SSIM {read}", {"out": str(out), "decoder_ssim": read})


def _free(bundle: Path) -> Path:
    names = (bundle.with_name(f"{bundle.name}-shadow{number}") for number in count(1))
    return next(folder for folder in names if not folder.exists())


def _refuse_other_features(decoder: AbstractPart, features: Features) -> None:
    reads = (decoder.arguments["channels"], decoder.arguments["side"])
    given = tuple(features.shape[1:3])
    if reads != given:
        raise DataError(
            f"the decoder reads {reads[0]} x {reads[1]} x {reads[1]} features, this bundle's are "
            f"{given[0]} x {given[1]} x {given[1]}: train one with --target of this bundle."
        )
