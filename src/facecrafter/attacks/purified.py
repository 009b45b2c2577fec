"""A1, stronger than the paper's: take the defence off first, then attack as ever."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import mse_loss

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.unet import Purifier
from facecrafter.errors import SettingError
from facecrafter.models.part import frozen
from facecrafter.randomness import child
from facecrafter.training.continued import Continuation, Lost
from facecrafter.training.pairs import Keep, Pairs, make_now
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class Purified(AbstractAdaptive):
    """Learn Enc(X) from F*, which needs no more than to ask Enc; attack what comes of a release."""

    attack: AbstractAttack = field(default_factory=LatentSearch)
    training: Continuation = field(default_factory=lambda: Continuation(40))  # ours
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours
    width: int = 64  # of the U-Net; ours

    def __post_init__(self) -> None:
        require_counts(self, "faces", "rounds")
        require_counts(self, "width", least=8)

    @property
    def itself(self) -> AbstractAttack:
        return _Purifying(self.attack)

    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        torch.manual_seed(child(rng, "weights").initial_seed())
        fresh = frozen(Purifier(pairs.features.shape[2], self.width)).to(self.device(view))
        known = {one.name: getattr(view, one.name) for one in fields(AttackerView)}
        known |= {"public": None, "protect": None}
        seed = child(rng, "purified").initial_seed()
        for purifier in self.training.run(fresh, pairs, None, seed, folder, _lost(view)):
            yield _Purified(**known, purify=purifier)


def _lost(view: AttackerView) -> Lost:
    def lost(made: Tensor, images: Images) -> Tensor:
        with torch.no_grad():
            wanted = view.query(images).float()
        return mse_loss(made, wanted)

    return lost


@dataclass(frozen=True)
class _Purified(AttackerView):
    """A view with a purifier in it."""

    purify: Callable[[Features], Features] | None = None


@dataclass(frozen=True)
class _Purifying(AbstractAttack):
    """An attack on what the view's purifier makes of a release."""

    attack: AbstractAttack

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        if not isinstance(view, _Purified) or view.purify is None:
            raise SettingError("no purifier in the view: it is what `Purified.legs` gives.")
        return _Purify(view.purify, self.attack.fit(view, rng))


class _Purify(AbstractInverter):
    def __init__(self, purify: Callable[[Features], Features], inverter: AbstractInverter) -> None:
        super().__init__()
        self.purify, self.inverter = purify, inverter

    def forward(self, features: Features) -> Images:
        with torch.no_grad():
            purified = torch.cat([self.purify(piece) for piece in features.split(256)])
        return self.inverter(purified)
