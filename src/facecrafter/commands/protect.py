"""`facecrafter protect`: photographs in, protected features out, nothing besides."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro

from facecrafter import wire
from facecrafter.commands.common import AbstractCommand, Outcome, UsageError
from facecrafter.commands.files import Photos, gather, photographs, write
from facecrafter.commands.prepared import DEFAULT, prepare
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import NotProtected, NumericalError
from facecrafter.progress import progress
from facecrafter.randomness import child, permutation
from facecrafter.types import Features

BATCH = 64  # photographs crafted together; paper, VI-E


@dataclass(frozen=True, kw_only=True)
class Protect(AbstractCommand):
    """Turn photographs of faces into protected features, in a random order.

    Reads the photographs, moves each one's feature by Crafter (Algorithm 1) until whoever inverts
    it sees another face, and writes a safetensors file that holds the features and nothing else:
    no name, no order, no metadata. With --memory a photograph that was protected before gets the
    very same feature again, so that repeated releases cannot be averaged. Nothing is written
    unless every photograph could be read and protected.

    Example: facecrafter protect photos --bundle bundles/lfw64 --out features.safetensors
    """

    photos: Photos = ()  # files, or folders of them
    bundle: Path = DEFAULT  # folder of networks; ours
    out: Path = Path("features.safetensors")  # file to write, readable by its owner only
    memory: Path | None = None  # SQLite file of what was released before; never send or delete it
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    crafter: Annotated[Crafter, tyro.conf.arg(name="")] = field(default_factory=Crafter)

    def run(self) -> Outcome:
        if not self.photos:
            raise UsageError(
                "name the photographs, or a folder of them: facecrafter protect PHOTOS"
            )
        ready = prepare(self.bundle, self.common.torch_device())
        images = photographs(gather(self.photos), ready.size, self.find_faces).to(ready.device)
        rng = self.common.secret_rng("protect")
        defence = Remembered(self.crafter, self.memory)
        protector = defence.fit(ready.offline(), rng)
        try:
            features = _each_batch(protector, images, rng)
        except NumericalError as error:
            raise NotProtected(f"{error} Nothing was written.") from error
        # shuffled last, and over all photographs: remembering puts rows in order again
        features = features[permutation(len(features), rng).to(features.device)]
        write(self.out, wire.dumps(features.float()))
        shape = tuple(features.shape[1:])
        return Outcome(
            f"{len(features)} features of {' x '.join(map(str, shape))} are in {self.out}, in an "
            "order that nobody knows. Only this file need leave the device.",
            {"out": str(self.out), "photographs": len(features), "shape": shape},
        )


def _each_batch(protector: torch.nn.Module, images: torch.Tensor, rng: torch.Generator) -> Features:
    pieces = []
    with progress("protecting", len(images)) as advance:
        for i, batch in enumerate(images.split(BATCH)):
            own = child(rng, "batch", i)  # else all batches would get the same average faces
            pieces.append(protector(batch, own).in_order_of_images())
            advance(len(batch))
    return torch.cat(pieces)
