"""Black-box: learn the inverse of the encoder from public faces (Eq. 2)."""

from dataclasses import dataclass, field

import torch
from torch import Generator, nn

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.randomness import child
from facecrafter.training.decoder import DecoderTraining
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class ShadowDecoder(AbstractAttack):
    """Decode with several decoders; for each face keep the one whose feature comes closest.

    To compare, the attacker queries the encoder with its own reconstructions: black-box access is
    enough. Decoders that the view brings are used; missing ones are trained.
    """

    restarts: int = 3  # decoders, each from fresh weights; ours; paper: 1
    training: DecoderTraining = field(default_factory=DecoderTraining)

    def __post_init__(self) -> None:
        if not self.restarts >= 1:
            raise SettingError(f"restarts={self.restarts}: a black-box attack needs a decoder.")

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        decoders = list(view.shadows[: self.restarts])
        for number in range(len(decoders), self.restarts):
            if view.public is None:
                raise SettingError(
                    f"{self.restarts} decoders are wanted, the view brings {len(view.shadows)} and "
                    "no public faces to train more: ask for fewer restarts or give public faces."
                )
            seed = child(rng, "shadow decoder", number).initial_seed()
            decoders.append(self.training.fit(view.query, view.public, seed))
        return _ShadowDecoder(view, decoders)


class _ShadowDecoder(AbstractInverter):
    def __init__(self, view: AttackerView, decoders: list[nn.Module]) -> None:
        super().__init__()
        self.view, self.decoders = view, nn.ModuleList(decoders)

    def forward(self, features: Features) -> Images:
        with torch.no_grad():
            return torch.cat([self._reconstruct(piece) for piece in features.split(256)])

    def _reconstruct(self, features: Features) -> Images:
        guesses = torch.stack([decoder(features) for decoder in self.decoders])
        if len(guesses) == 1:
            return guesses[0]
        distances = torch.stack(
            [(self.view.query(guess) - features).flatten(1).norm(dim=1) for guess in guesses]
        )
        rows = torch.arange(len(features), device=features.device)
        return guesses[distances.argmin(dim=0), rows]
