"""What an attacker who has the defence learns from: faces and their releases (III-B)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from facecrafter.training import checkpoints
from facecrafter.training.batches import varied
from facecrafter.types import Features, Images

Protect = Callable[[Images], Features]  # draws anew at each call
Keep = Callable[[int, Callable[[], Tensor]], Tensor]  # a numbered piece: kept, or made and kept
BATCH = 64  # faces protected together, as a device does; ours


@dataclass(frozen=True, eq=False)
class Pairs:
    """Views of faces and their releases, in several rounds: a defence draws anew each time."""

    images: Tensor  # (rounds, faces, 3, height, width), bytes
    features: Tensor  # (rounds, faces, ...), or what is read in their place; on the CPU

    @property
    def rounds(self) -> int:
        """How many releases of each face there are."""
        return len(self.images)

    def __len__(self) -> int:
        """How many faces there are."""
        return self.images.shape[1]

    def some(self, epoch: int, chosen: Tensor, device: torch.device) -> tuple[Tensor, Images]:
        """Releases and views of the chosen faces; each epoch reads the next round."""
        turn = epoch % self.rounds
        images = self.images[turn, chosen].to(device).float() / 255
        return self.features[turn, chosen].to(device), images

    @cached_property
    def digest(self) -> dict[str, Tensor]:
        """SHA-256 of both, as a checkpoint can keep it."""
        found = checkpoints.digest({"images": self.images, "features": self.features})
        return {"pairs": torch.tensor(list(bytes.fromhex(found)), dtype=torch.uint8)}


def make_now(number: int, make: Callable[[], Tensor]) -> Tensor:
    """Keep nothing."""
    return make()


def intercepted(
    protect: Protect,
    faces: Faces,
    rounds: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    keep: Keep = make_now,
) -> Pairs:
    """Protect each face `rounds` times, each time another view of it.

    Half of the views are mirrored; all are moved by up to 2 pixels, brighter or darker by up to a
    tenth: a decoder that sees the same picture over and over learns it by heart.

    `keep` is given the number of each batch and what makes it: the place to resume from.
    """
    if not (rounds >= 1 and len(faces) >= 1):
        raise SettingError(f"{rounds} rounds of {len(faces)} faces: give one of each, or more.")
    starts = range(0, len(faces), BATCH)
    views, released = list[Tensor](), list[Tensor]()
    for turn in range(rounds):
        for number, start in enumerate(starts):
            rows = range(start, min(start + BATCH, len(faces)))
            rng = stream(seed, "view of a pair", turn, number)
            images = varied(faces.images(list(rows)), rng, shift=2)
            views.append((images * 255).round().byte())
            seen = (views[-1].float() / 255).to(device)
            released.append(
                keep(turn * len(starts) + number, lambda seen=seen: protect(seen).detach().cpu())
            )
    both = (torch.cat(pieces) for pieces in (views, released))
    return Pairs(*(whole.unflatten(0, (rounds, len(faces))) for whole in both))
