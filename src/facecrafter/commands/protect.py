"""`facecrafter protect`: photographs in, protected features out, nothing besides."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor

from facecrafter import wire
from facecrafter.commands.common import AbstractCommand, Outcome, UsageError
from facecrafter.commands.files import Photos, gather, photographs, write
from facecrafter.commands.prepared import DEFAULT, prepare
from facecrafter.commands.protection import Protection, facts
from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Encode,
    Offline,
    Release,
)
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import NotProtected, NumericalError
from facecrafter.models.surrogate import Surrogate
from facecrafter.progress import progress
from facecrafter.randomness import child, permutation
from facecrafter.types import Features, Images, Scores

BATCH = 64  # photographs crafted together; paper, VI-E
LEAST = 0.1  # of |Enc(x)|, by which a released feature differs from Enc(x); ours
TWO_FACES = 2**0.5  # between a surrogate's readings of two public faces, as they are scaled


@dataclass(frozen=True, kw_only=True)
class Protect(AbstractCommand):
    """Turn photographs of faces into protected features, in a random order.

    Reads the photographs, moves each one's feature by --steps steps of Crafter towards that of an
    average face (docs/results.md says how many stay recognisable) or, with --defence stand-in,
    takes an average face's in its place, and writes a safetensors file that holds the features and
    nothing else: no name, no order, no metadata. With --memory a photograph that was protected
    before gets the very same feature again, so that repeated releases cannot be averaged. Nothing
    is written unless every photograph could be read and protected.

    Example: facecrafter protect photos --bundle bundles/lfw64 --out features.safetensors
    """

    photos: Photos = ()  # files, or folders of them
    bundle: Path = DEFAULT  # folder of networks; ours
    out: Path = Path("features.safetensors")  # file to write, readable by its owner only
    memory: Path | None = None  # SQLite file of what was released before; never send or delete it
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    protection: Annotated[Protection, tyro.conf.arg(name="")] = field(default_factory=Protection)

    def run(self) -> Outcome:
        if not self.photos:
            raise UsageError(
                "name the photographs, or a folder of them: facecrafter protect PHOTOS"
            )
        refuse_guessable(self.memory, self.common.seed)
        ready = prepare(self.bundle, self.common.torch_device())
        recipe = self.protection.recipe(ready.bundle)
        images = photographs(gather(self.photos), ready.size, self.find_faces).to(ready.device)
        rng = self.common.secret_rng("protect")
        defence = Remembered(Moved(recipe), self.memory)
        protector = defence.fit(ready.offline(), rng)
        try:
            features = _each_batch(protector, ready.encode, images, rng)
        except NumericalError as error:
            raise NotProtected(f"{error} Nothing was written.") from error
        # shuffled last, and over all photographs: remembering puts rows in order again
        order = permutation(len(images), rng)
        _require_all(features, order, images)
        surrogate = None if self.protection.any_task else ready.surrogate
        apart = None if surrogate is None else _apart(surrogate, ready.encode, features, images)
        features = features[order.to(features.device)]
        write(self.out, wire.dumps(features.float()))
        shape = tuple(features.shape[1:])
        return Outcome(
            f"{len(features)} features of {' x '.join(map(str, shape))} are in {self.out}, in an "
            "order that nobody knows. Only this file need leave the device."
            f"{_remembered(protector.kept)}{_still_read(apart)}{_too_many(len(features))}",
            {
                "out": str(self.out),
                "photographs": len(features),
                "remembered": protector.kept,
                "shape": shape,
                "apart": apart,
                **facts(recipe),
            },
        )


def refuse_guessable(memory: Path | None, seed: int | None) -> None:
    """What is remembered is released later: nobody may be able to repeat the crafting."""
    if memory is not None and seed is not None:
        raise UsageError("--seed would make what --memory keeps guessable: leave out one.")


@dataclass(frozen=True)
class Moved(AbstractDefence):
    """Another defence, whose nearly plain features are refused before they are remembered."""

    defence: AbstractDefence

    def fit(self, offline: Offline, rng: torch.Generator) -> AbstractProtector:
        return _Moved(self.defence.fit(offline, rng), offline.encode)


class _Moved(AbstractProtector):
    def __init__(self, protector: AbstractProtector, encode: Encode) -> None:
        super().__init__()
        self.protector, self.encode = protector, encode

    def protect(self, images: Images, rng: torch.Generator) -> Release:
        release = self.protector(images, rng)
        require_moved(release.in_order_of_images(), self.encode, images)
        return release


def require_moved(features: Tensor, encode: Encode, images: Images) -> None:
    """Raise `NotProtected` unless each feature differs from Enc(x) by `LEAST` of its length.

    Phrased so that what is not a number fails.
    """
    with torch.no_grad():
        raw = encode(images)
    if features.shape != raw.shape:
        raise NotProtected(
            f"features of shape {tuple(features.shape)} for an encoder of {tuple(raw.shape)}: "
            "nothing was written. Is the memory that of another bundle?"
        )
    moved = (features - raw).flatten(1).norm(dim=1) / raw.flatten(1).norm(dim=1)
    if not bool((moved >= LEAST).all()):
        raise NotProtected(
            f"a feature was moved by {moved.min().item():.3f} of its length, less than {LEAST}: it "
            "is nearly the plain one, so nothing was written. Lower --beta or give more --steps; "
            "with --defence stand-in run it again without --seed, which draws another face."
        )


def _require_all(features: Tensor, order: Tensor, images: Tensor) -> None:
    """A feature for every photograph, each once."""
    if len(features) != len(images) or order.sort().values.tolist() != list(range(len(images))):
        raise NotProtected(
            f"{len(features)} features for {len(images)} photographs, or one of them twice: "
            "nothing was written. This is a mistake in the program: please report it."
        )


def _remembered(kept: int) -> str:
    if kept == 0:
        return ""
    return (
        f" {kept} of them had been released before and are the same again, whatever --defence and "
        "the other options are now."
    )


def _apart(
    surrogate: Surrogate, encode: Encode, features: Features, images: Images
) -> dict[str, float]:
    """How far the surrogate's reading of F_X is from that of Enc(x): what use is lost.

    The mean over faces, and the most.
    """
    pieces: list[Scores] = []
    with torch.no_grad():
        for released, batch in zip(features.split(BATCH), images.split(BATCH), strict=True):
            read, wanted = surrogate.signature(released), surrogate.signature(encode(batch))
            pieces.append((read - wanted).norm(dim=1))
    apart = torch.cat(pieces)
    return {"mean": apart.mean().item(), "most": apart.max().item()}


def _still_read(apart: dict[str, float] | None) -> str:
    if apart is None:
        return ""
    return (
        f" What the surrogate reads in them is {apart['mean']:.2f} from what it reads in the "
        f"photographs, at most {apart['most']:.2f}; of two faces it is {TWO_FACES:.1f} apart."
    )


def _too_many(count: int) -> str:
    most = wire.Limits().most_images
    if count <= most:
        return ""
    return (
        f" A receiver takes {most} in a message unless it is told otherwise (wire.Limits): give "
        "fewer photographs at a time, or raise its limit."
    )


def _each_batch(
    protector: torch.nn.Module, encode: Encode, images: Images, rng: torch.Generator
) -> Features:
    pieces = []
    with progress("protecting", len(images)) as advance:
        for i, batch in enumerate(images.split(BATCH)):
            own = child(rng, "batch", i)  # else all batches would get the same average faces
            features = protector(batch, own).in_order_of_images()
            require_moved(features, encode, batch)  # also of what was remembered
            pieces.append(features)
            advance(len(batch))
    return torch.cat(pieces)
