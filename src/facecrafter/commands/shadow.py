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
from facecrafter.commands.prepared import DEFAULT, image_size, in_project, shadows_of
from facecrafter.commands.rendering import render
from facecrafter.commands.source import From, Source
from facecrafter.errors import DataError, SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import AbstractPart
from facecrafter.pinned import MANIFEST
from facecrafter.types import Features


@dataclass(frozen=True, kw_only=True)
class TrainShadow(AbstractCommand):
    """Put one more decoder beside a bundle, for the attacker.

    `demo`, `attack`, `verify` and `evaluate` find BUNDLE-shadow1, BUNDLE-shadow2 and so on by
    their names, and the black-box attack decodes with each. Train it with a seed of its own. An
    attacker with another decoder is another one: figures that were measured before do not count
    for him (`evaluate --shadows` names those that he has).

    Example: facecrafter train shadow --data lfw --root DATA/lfw --decoder runs/decoder2
    """

    source: From = field(default_factory=Source)
    bundle: Path = DEFAULT  # whose features it reads
    decoder: Path = Path("runs/decoder")  # training folder, or a bundle that has one
    out: Path | None = None  # folder; None = the first BUNDLE-shadow1, -shadow2, ... that is free

    def run(self) -> Outcome:
        """Measure it and write it."""
        device, splits, size = self.common.torch_device(), self.source.splits(), self.source.size
        out = self.out or _free(in_project(self.bundle))
        if out.exists():
            raise SettingError(f"--out {out.name} is there already: give another folder.")
        found = trained(self.decoder, "decoder", device, size)
        _refuse_another_size(in_project(self.bundle), size)
        _refuse_one_that_is_there(found.network, self.bundle)
        encode = fold_batch_norms(target_of(self.bundle, device)).encode
        with torch.no_grad():
            features = encode(splits.public.images([0]).to(device))
        _refuse_other_features(found.network, features, size)
        stored = as_stored({"decoder": found.network}, True, device).need("decoder")
        read = round(decoder_ssim(stored, encode, splits.private_test, device), 4)
        facts: dict[str, Any] = {
            "size": size,
            "data": counts(self.source.data, splits),
            "recipes": {"decoder": found.recipe},
            "seconds": {"decoder": found.seconds},
            "figures": {"decoder_ssim": read},
        }
        names, command = {"name": out.name, "bundle": self.bundle.name}, timed("decoder", facts)
        text = render("shadow.md", facts=facts, command=command, **names)
        bundles.save(out, {"decoder": found.network}, facts, text, half=True)
        told = f"{out}: SSIM {read}. The black-box attack has another decoder from now on."
        return Outcome(told, {"out": str(out), "decoder_ssim": read})


def _free(bundle: Path) -> Path:
    names = (bundle.with_name(f"{bundle.name}-shadow{number}") for number in count(1))
    return next(folder for folder in names if not folder.exists())


def _refuse_another_size(bundle: Path, size: int) -> None:
    """A training folder of a target does not say; of its features see below."""
    wanted = image_size(bundles.load(bundle)) if (bundle / MANIFEST).exists() else size
    if wanted != size:
        raise SettingError(f"--size {size}: {bundle.name} is for faces of {wanted} pixels.")


def _refuse_one_that_is_there(decoder: AbstractPart, bundle: Path) -> None:
    """A copy would count as a restart that it is not."""
    folders = (in_project(bundle), *shadows_of(bundle))
    for folder in (folder for folder in folders if (folder / MANIFEST).exists()):
        other = bundles.load(folder).decoder
        if other is not None and _same(decoder, other):
            raise SettingError(
                f"{folder.name} holds this very decoder: train another one, with another --seed."
            )


def _same(one: AbstractPart, other: AbstractPart) -> bool:
    """As they are stored: in half precision."""
    mine, theirs = one.state_dict(), other.state_dict()
    shapes = [{name: value.shape for name, value in some.items()} for some in (mine, theirs)]
    return shapes[0] == shapes[1] and all(
        torch.allclose(mine[name].float(), theirs[name].float(), rtol=1e-3, atol=1e-4)
        for name in mine
    )


def _refuse_other_features(decoder: AbstractPart, features: Features, size: int) -> None:
    reads = (decoder.arguments["channels"], decoder.arguments["side"], decoder.arguments["size"])
    given = (*features.shape[1:3], size)
    if reads != given:
        raise DataError(
            f"the decoder turns {reads[0]} x {reads[1]} x {reads[1]} features into faces of "
            f"{reads[2]} pixels; the features of --bundle are {given[0]} x {given[1]} x {given[1]} "
            f"where faces have {size} (--size): train one with --target of that bundle."
        )
