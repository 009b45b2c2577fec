"""`facecrafter train bundle`: trained parts, measured, with a model card, in one pinned folder."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facecrafter import __version__
from facecrafter import bundle as bundles
from facecrafter.bundle import Bundle
from facecrafter.commands.attack import png
from facecrafter.commands.card import card, settings
from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.figures import (
    amortiser_ssim,
    decoder_ssim,
    judge_accuracy,
    prior_ssim,
    utility,
)
from facecrafter.commands.files import write
from facecrafter.commands.networks import trained
from facecrafter.commands.source import From, Source
from facecrafter.data.faces import Faces, Splits
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import Prior
from facecrafter.paper.verify import FACT, calibrate
from facecrafter.pictures import sheet
from facecrafter.randomness import normal, stream

SAMPLES = 64  # faces on the sheet of the prior; ours


@dataclass(frozen=True, kw_only=True)
class TrainBundle(AbstractCommand):
    """Measure the trained parts and put them into one folder that others can check and load.

    The model card states data, recipes, seed, figures and limits. Beside the folder a sheet of the
    prior's faces is written: look at it, a face must look like a face.

    Example: facecrafter train bundle --data lfw --root DATA/lfw --out bundles/lfw64
    """

    source: From = field(default_factory=Source)
    target: Path = Path("runs/target")  # training folder, or a bundle that has one
    prior: Path = Path("runs/prior")  # training folder, or a bundle that has one
    decoder: Path = Path("runs/decoder")  # training folder, or a bundle that has one
    judge: Path = Path("runs/judge")  # training folder, or a bundle that has one
    amortiser: Path | None = None  # likewise; None = left out
    critic: Path | None = None  # likewise; None = left out
    surrogate: Path | None = None  # likewise; None = left out
    out: Path = Path("bundles/lfw64")  # folder of the bundle
    float32: bool = False  # store float32, not float16, which costs nothing measurable; ours
    remark: str = ""  # a sentence for the model card, on how the parts came about
    uncalibrated: bool = False  # leave out the thresholds that `facecrafter verify` needs

    def run(self) -> Outcome:
        began = time.monotonic()
        device, splits = self.common.torch_device(), self.source.splits()
        folders = self._folders()
        cpu, size = torch.device("cpu"), self.source.size
        found = {name: trained(folder, name, cpu, size) for name, folder in folders.items()}
        parts = {name: one.network for name, one in found.items()}
        stored = as_stored(parts, not self.float32, device)
        facts: dict[str, Any] = {
            "facecrafter": __version__,
            "size": self.source.size,
            "attribute_names": list(splits.public.attribute_names),
            "data": counts(self.source.data, splits),
            "pixels": {"public": _pixels(splits.public), "private": _pixels(splits.private_train)},
            "recipes": {name: one.recipe for name, one in found.items()},
            "remark": self.remark,
            "seconds": {name: one.seconds for name, one in found.items()},
        }
        learnt = settings(facts["recipes"].get("surrogate", "")).get("attributes", ())
        facts["figures"] = _figures(stored, splits, learnt, device)
        if not self.uncalibrated:  # on public people, whom the judge has never seen
            facts[FACT] = dict(calibrate(stored.need("judge"), splits.public))
        text = card(self.out.name, facts, {name: _count(part) for name, part in parts.items()})
        bundles.save(self.out, parts, facts, text, half=not self.float32)
        picture = self.out.with_name(f"{self.out.name}-prior.png")
        write(picture, png(sheet(_samples(stored.need("prior"), device), scale=2)))
        size = sum(file.stat().st_size for file in self.out.iterdir()) / 2**20
        told = ", ".join(f"{name} {value}" for name, value in facts["figures"].items())
        return Outcome(
            f"{self.out}: {len(parts)} networks, {size:.1f} MiB; {told}. Look at {picture}.",
            {
                "out": str(self.out),
                "mebibytes": round(size, 2),
                "seconds": round(time.monotonic() - began, 1),
                **facts["figures"],
            },
        )

    def _folders(self) -> dict[str, Path]:
        chosen = {
            "target": self.target,
            "prior": self.prior,
            "decoder": self.decoder,
            "judge": self.judge,
            "amortiser": self.amortiser,
            "critic": self.critic,
            "surrogate": self.surrogate,
        }
        return {name: folder for name, folder in chosen.items() if folder is not None}


def as_stored(parts: Mapping[str, AbstractPart], half: bool, device: torch.device) -> Bundle:
    """The networks as a user loads them: figures of float32 weights would be of others."""
    with tempfile.TemporaryDirectory() as folder:
        bundles.save(Path(folder) / "stored", parts, {}, "", half=half)
        return bundles.load(Path(folder) / "stored", device)


def _figures(
    stored: Bundle, splits: Splits, learnt: Sequence[str], device: torch.device
) -> dict[str, float]:
    """All on private test photographs. `learnt`: attributes of the surrogate; none = all."""
    train, test = splits.private_train, splits.private_test
    encode = fold_batch_norms(stored.need("target")).encode
    scored = utility(stored.need("target"), test, device)
    surrogate, own = stored.surrogate, dict[str, float]()
    prior = stored.need("prior")
    if stored.amortiser is not None:
        guessed = amortiser_ssim(stored.amortiser, prior, encode, test, device)
        own["amortiser_ssim"] = round(guessed, 4)
    if surrogate is not None:
        asked = test.only(learnt or test.attribute_names)
        answers = utility(lambda images: surrogate(encode(images)), asked, device)
        own["surrogate_auc"] = round(answers.mean, 4)
        own["surrogate_attributes_scored"] = len(answers.by_attribute)
    return {
        "mean_auc": round(scored.mean, 4),
        "attributes_scored": len(scored.by_attribute),
        "judge_accuracy": round(judge_accuracy(stored.need("judge"), train, test, device), 4),
        "prior_ssim": round(prior_ssim(prior, encode, test, device), 4),
        "decoder_ssim": round(decoder_ssim(stored.need("decoder"), encode, test, device), 4),
        **own,
    }


def counts(name: str, splits: Splits) -> dict[str, Any]:
    """The data's name and how many photographs each side has."""
    sides = {
        "public": splits.public,
        "private_train": splits.private_train,
        "private_test": splits.private_test,
    }
    return {"name": name, **{side: len(faces) for side, faces in sides.items()}}


def _pixels(faces: Faces) -> dict[str, list[float]]:
    """Mean and standard deviation of each colour, 0 to 1."""
    mean, deviation = faces.statistics()
    return {
        "mean": [round(float(value), 5) for value in mean],
        "deviation": [round(float(value), 5) for value in deviation],
    }


def _samples(prior: Prior, device: torch.device) -> Tensor:
    like = torch.empty(0, device=device)
    latents = normal(SAMPLES, prior.latent_dim, rng=stream(0, "sheet"), like=like)
    with torch.no_grad():
        return prior(latents)


def _count(part: AbstractPart) -> int:
    """Numbers that it holds."""
    return sum(value.numel() for value in part.state_dict().values())
