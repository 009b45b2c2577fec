"""What the cloud's answers alone say of a face: the least that any release which serves it tells.

Whoever sees a release can ask f about it, as the cloud does. So an attacker reads at least f(F*),
whatever the defence; no defence can keep the answers and hide what follows from them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.errors import SettingError
from facecrafter.training.pairs import Keep, Pairs, make_now
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Logits

SIDE = 4  # of the map that the answers are spread over, pixels; ours
PIECE = 256  # features answered at once; of no influence on the result

Answers = Callable[[Features], Logits]


@dataclass(frozen=True)
class CloudView(AttackerView):
    """The view of someone who asks the cloud, or is it."""

    answers: Answers | None = None  # f


@dataclass(frozen=True)
class Answered(AbstractAdaptive):
    """Train a deep decoder on (f(F*), X), and attack with it: A1 that sees nothing but answers."""

    attack: AbstractAttack = field(default_factory=lambda: ShadowDecoder(1))  # ours
    reader: Retrained = field(default_factory=lambda: Retrained(width=256))  # ours
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours

    def __post_init__(self) -> None:
        require_counts(self, "faces", "rounds")
        require_counts(self.reader, "width", least=16)  # it is halved four times up to 64 pixels

    def device(self, view: AttackerView) -> torch.device:
        _need_answers(view)
        return self.reader.device(view)

    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        read = _Reading(_need_answers(view), pairs, self.device(view))
        maps = read.pieces(pairs.features.flatten(0, 1)).unflatten(0, pairs.features.shape[:2])
        for learnt in self.reader.legs(view, Pairs(pairs.images, maps), rng, folder, keep):
            (decoder,) = learnt.shadows
            yield replace(learnt, shadows=(nn.Sequential(read, decoder),))


def _need_answers(view: AttackerView) -> Answers:
    if not isinstance(view, CloudView) or view.answers is None:
        raise SettingError("this attack asks the cloud: give `answers` in a CloudView.")
    return view.answers


class _Reading(nn.Module):
    """Features to answers, of mean 0 and deviation 1 over the pairs, the same all over a map."""

    def __init__(self, answers: Answers, pairs: Pairs, device: torch.device) -> None:
        super().__init__()
        self.answers, self.device = answers, device
        self.middle, self.scale = 0.0, 1.0
        told = self.pieces(pairs.features.flatten(0, 1))
        self.middle, self.scale = told.mean().item(), told.std().item() or 1.0

    def forward(self, features: Features) -> Tensor:
        told = (self.answers(features) - self.middle) / self.scale
        return told[..., None, None].expand(-1, -1, SIDE, SIDE)

    def pieces(self, features: Features) -> Tensor:
        """Of many features, on the CPU."""
        with torch.no_grad():
            return torch.cat([self(some.to(self.device)).cpu() for some in features.split(PIECE)])
