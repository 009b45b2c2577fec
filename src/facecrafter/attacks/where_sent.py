"""Compare what was sent and nothing else: a defence that drops values tells by its zeros which.

`Dropout`, `TopK` and `ChannelPruning` set a part of a feature to 0. To a search that takes the
feature whole they look strong, for no face has such a feature. Who knows the defence leaves out of
the distance what is exactly 0. Some of it was 0 before, behind a ReLU, and is lost to him.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.errors import SettingError
from facecrafter.randomness import child
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class WhereSent(AbstractAttack):
    """A search to which Enc is 0 wherever the feature is. Raises `SettingError`."""

    attack: LatentSearch | PixelSearch = field(default_factory=LatentSearch)
    batch: int = 64  # images searched together, by `attack` too; of no influence on the result

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= self.attack.batch:
            raise SettingError(
                f"batch={self.batch}: give 1 or more, and no more than the {self.attack.batch} "
                f"that {type(self.attack).__name__} searches together."
            )

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        view.need_encoder()
        return _WhereSent(self, view, child(rng, "where sent"))


class _WhereSent(AbstractInverter):
    def __init__(self, recipe: WhereSent, view: AttackerView, rng: Generator) -> None:
        super().__init__()
        self.recipe, self.view, self.rng = recipe, view, rng

    def forward(self, features: Features) -> Images:
        pieces = features.split(self.recipe.batch)
        found = [self._reconstruct(piece, number) for number, piece in enumerate(pieces)]
        return torch.cat(found)

    def _reconstruct(self, features: Features, number: int) -> Images:
        encode, sent = self.view.need_encoder(), features != 0

        def partly(images: Images) -> Features:
            return encode(images) * sent

        rng = child(self.rng, "piece", number)
        return self.recipe.attack.fit(replace(self.view, encoder=partly), rng)(features)
