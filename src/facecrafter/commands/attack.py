"""`facecrafter attack`: what would somebody who intercepts the features see?"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image

from facecrafter import wire
from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.files import write
from facecrafter.commands.prepared import DEFAULT, AttackName, prepare
from facecrafter.errors import WireError
from facecrafter.pictures import sheet
from facecrafter.types import Features

LARGEST = wire.Limits(most_bytes=2**30, most_images=100_000)  # a file of one's own; ours
SCALE = 3  # screen pixels for each pixel of a face on the sheet; ours

Message = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FEATURES")]


@dataclass(frozen=True, kw_only=True)
class Attack(AbstractCommand):
    """Reconstruct faces from intercepted features, as an attacker would.

    white-box searches the prior for the face whose feature fits (Eq. 3); black-box reads the
    feature with a decoder that was trained on public faces (Eq. 2); hybrid improves the decoder's
    face pixel by pixel (Eq. 4). Writes one PNG for each feature and a sheet of all.

    Example: facecrafter attack features.safetensors --attack hybrid --out reconstructions
    """

    features: Message  # file that `facecrafter protect` wrote
    bundle: Path = DEFAULT  # folder of networks; ours
    attack: AttackName = "white-box"  # paper, VI-A
    out: Path = Path("reconstructions")  # folder for the pictures

    def run(self) -> Outcome:
        ready = prepare(self.bundle, self.common.torch_device())
        features = read(self.features, ready.feature_shape())
        inverter = ready.attack(self.attack).fit(ready.view(), self.common.rng("attack"))
        faces = inverter(features.to(ready.device)).detach().cpu()
        width = len(str(len(faces)))
        for i, face in enumerate(faces):
            write(self.out / f"face-{i + 1:0{width}}.png", png(sheet(face[None], columns=1)))
        page = self.out / "sheet.png"
        write(page, png(sheet(faces, scale=SCALE)))
        return Outcome(
            f"{len(faces)} faces as the {self.attack} attacker sees them: {page}",
            {"out": str(self.out), "sheet": str(page), "faces": len(faces), "attack": self.attack},
        )


def read(path: Path, shape: tuple[int, int, int]) -> Features:
    """The features in a file, if they are of this encoder. Raises `WireError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WireError(
            f"{path.name} cannot be read ({error.strerror}): name a file that `facecrafter "
            "protect` wrote."
        ) from error
    return wire.loads(data, replace(LARGEST, shape=shape))


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
