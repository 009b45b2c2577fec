"""Published networks that tell people apart, for defences that mislead such networks.

In the place of those that are trained here (`people`): Fawkes and LowKey were proposed with
networks that others trained on millions of photographs. A user who has some hands their weights
over (docs/recognisers.md).
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch

from facecrafter.data.faces import Faces
from facecrafter.defences.people import Ensemble, Recognisers
from facecrafter.errors import DataError, SettingError
from facecrafter.training.foreign import read
from facecrafter.training.iresnet import ADVICE, IResNet, recogniser
from facecrafter.training.people import PeopleTraining


@dataclass(frozen=True)
class Published(Ensemble):
    """Networks out of safetensors files; nothing is trained. See `published`.

    Results rest on `digests`, so that files may lie anywhere.
    """

    trainings: tuple[PeopleTraining, ...] = field(init=False, default=())
    digests: tuple[str, ...] = ()  # SHA-256 of each file
    files: tuple[Path, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.digests or len(self.digests) != len(self.files):
            raise SettingError(
                f"Published has {len(self.files)} files and {len(self.digests)} digests: make it "
                "by `published`, of one file or more."
            )
        if len(set(self.digests)) < len(self.digests):
            raise SettingError(
                f"of {len(self.files)} files two hold the same network, which would count twice: "
                "give each once."
            )

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Recognisers:
        """Nothing is learnt from `faces`. Raises `SettingError` for a file that was changed.

        `DataError` for weights of another kind, `OSError` where a file cannot be read.
        """
        for file, digest in zip(self.files, self.digests, strict=True):
            if _digest(file) != digest:
                raise SettingError(
                    f"{file.name} is not the file any more that this recipe was made of: make the "
                    "recipe anew."
                )
        return Recognisers([_network(file) for file in self.files]).to(torch.device(device))


def published(*files: Path) -> Published:
    """These networks as they lie there now, in whatever order they are given.

    Raises `DataError` for weights of another kind, `SettingError` for none and for the same ones
    twice; `OSError` where a file cannot be read.
    """
    for file in files:
        _network(file)  # what is wrong with it is said before anything is measured
    found = sorted((_digest(file), file) for file in files)
    return Published(tuple(digest for digest, _ in found), tuple(file for _, file in found))


def _network(file: Path) -> IResNet:
    try:
        return recogniser(read(file, ADVICE))
    except DataError as error:
        told = str(error)
        raise DataError(told if file.name in told else f"{file.name}: {told}") from error


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
