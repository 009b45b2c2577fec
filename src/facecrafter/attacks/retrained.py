"""A1, stronger than the paper's: a deep decoder from fresh weights, on what is released."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import mse_loss

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.attacks.unet import DeepDecoder
from facecrafter.models.part import frozen
from facecrafter.randomness import child
from facecrafter.training.continued import Continuation, Lost, squared_error
from facecrafter.training.pairs import Keep, Pairs, make_now
from facecrafter.training.settings import require_counts, require_not_negative
from facecrafter.types import Images


@dataclass(frozen=True)
class Retrained(AbstractAdaptive):
    """Train a deep decoder on (F*, X): pixels, and what Enc sees in them; then attack with it.

    attack: one that reads with a single decoder.
    """

    attack: AbstractAttack = field(default_factory=lambda: ShadowDecoder(1))  # ours
    training: Continuation = field(default_factory=lambda: Continuation(40))  # ours
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours
    width: int = 64  # of the U-Net; ours
    perceptual: float = 0.0  # weight of what Enc sees beside pixels, for which he needs it; ours

    def __post_init__(self) -> None:
        require_counts(self, "faces", "rounds")
        require_counts(self, "width", least=8)
        require_not_negative(self, "perceptual")

    def device(self, view: AttackerView) -> torch.device:
        if self.perceptual:
            view.need_encoder()
        return super().device(view)

    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        known = replace(view, public=None, protect=None)
        seed, lost = child(rng, "retrained").initial_seed(), self._lost(view)
        fresh = self._fresh(pairs, child(rng, "weights").initial_seed()).to(self.device(view))
        for decoder in self.training.run(fresh, pairs, None, seed, folder, lost):
            yield replace(known, shadows=(decoder,))

    def _fresh(self, pairs: Pairs, seed: int) -> nn.Module:
        _, _, channels, side, _ = pairs.features.shape
        torch.manual_seed(seed)
        return frozen(DeepDecoder(channels, side, pairs.images.shape[-1], self.width))

    def _lost(self, view: AttackerView) -> Lost:
        if not self.perceptual:
            return squared_error
        encode = view.need_encoder()

        def lost(made: Tensor, images: Images) -> Tensor:
            with torch.no_grad():
                wanted = encode(images).float()
            seen = mse_loss(encode(made).float(), wanted)
            return squared_error(made, images) + self.perceptual * seen

        return lost
