"""Networks of the device's own that tell people apart, for defences that mislead such networks.

They learn from public faces, by pixels and not by what Enc sees in them, and measure nothing: the
judge is another network, which no defence has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pixel_unshuffle

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import stream
from facecrafter.training.people import PeopleTraining
from facecrafter.types import Embeddings, Features, Images

Seen = list[Tensor]  # embeddings of a batch by each network, each (batch, width of the network)


class Recognisers(nn.Module):
    """What each of several networks sees in a photograph."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Images) -> Seen:
        """By each network, in their order."""
        return [member(images) for member in self.members]


# ours: a few minutes of one core for both; of 1,996 photographs of people whom they have not seen,
# the nearest one is of the same person for 43 % and for 53 %
TWO = (
    PeopleTraining(widths=(32, 64, 128), epochs=20, bfloat16=True),
    PeopleTraining(widths=(64, 128, 256), epochs=20, bfloat16=True),
)


@dataclass(frozen=True)
class Ensemble:
    """Train several such networks. Raises `SettingError` for none."""

    trainings: tuple[PeopleTraining, ...] = TWO  # ours

    def __post_init__(self) -> None:
        if not self.trainings:
            raise SettingError("trainings=() of Ensemble: give one network to mislead, or more.")

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Recognisers:
        """`faces`: public, with several photographs of a person. Raises `DataError` without."""
        members = list[nn.Module]()
        for number, training in enumerate(self.trainings):
            own = stream(seed, "own people", number).initial_seed()
            place = None if folder is None else folder / str(number)
            members.append(_Recogniser(training.fit(in_blocks, faces, own, place, device)))
        return Recognisers(members)


class _Recogniser(nn.Module):
    """Sees in unit length: a cloak is to turn an embedding, where it could also just grow it."""

    def __init__(self, network: Surrogate) -> None:
        super().__init__()
        self.network = fold_batch_norms(network)

    def forward(self, images: Images) -> Embeddings:
        return normalize(self.network.embed(in_blocks(images)).float(), dim=1)


class ByEncoder(nn.Module):
    """Enc in the place of a network that tells people apart: its whole feature."""

    def __init__(self, encode: Callable[[Images], Features]) -> None:
        super().__init__()
        self.encode = encode

    def forward(self, images: Images) -> Embeddings:
        return self.encode(images).flatten(1)


def in_blocks(images: Images) -> Features:
    """Each 2 by 2 pixels as one of 12 channels: all that is in a photograph, on a smaller map."""
    return pixel_unshuffle(images, 2)
