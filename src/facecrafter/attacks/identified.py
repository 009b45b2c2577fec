"""A1 with an identity loss: the deep decoder is told whose face it should draw, too."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import cosine_similarity, mse_loss

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.retrained import Retrained
from facecrafter.errors import SettingError
from facecrafter.models.part import frozen
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import child
from facecrafter.training.continued import Lost, squared_error
from facecrafter.training.pairs import Keep, Pairs, make_now
from facecrafter.training.people import PeopleTraining
from facecrafter.training.settings import require_positive
from facecrafter.types import Images


@dataclass(frozen=True)
class Identified(Retrained):
    """`Retrained`, and a face that his own network takes for another person costs more.

    The network learns to tell public people apart, by what Enc sees of them: the judge is not his.
    """

    identity: float = 0.1  # weight of 1 - cosine of the two faces' embeddings; ours
    people: PeopleTraining = field(default_factory=PeopleTraining)  # ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "identity")

    def device(self, view: AttackerView) -> torch.device:
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
        network = self._learnt(view, child(rng, "people").initial_seed(), folder)
        known = replace(view, public=None, protect=None)
        seed, lost = child(rng, "retrained").initial_seed(), self._told_who(view, network)
        fresh = self._fresh(pairs, child(rng, "weights").initial_seed()).to(self.device(view))
        for decoder in self.training.run(fresh, pairs, None, seed, folder, lost):
            yield replace(known, shadows=(decoder,))

    def _learnt(self, view: AttackerView, seed: int, folder: Path | None) -> Surrogate:
        if view.public is None:
            raise SettingError(
                "this attack learns people from public faces: give them in the view."
            )
        kept = None if folder is None else folder / "leg-people"  # its seconds count as a leg's do
        device = self.device(view)
        return frozen(self.people.fit(view.need_encoder(), view.public, seed, kept, device))

    def _told_who(self, view: AttackerView, network: Surrogate) -> Lost:
        encode = view.need_encoder()

        def lost(made: Tensor, images: Images) -> Tensor:
            seen = encode(made)
            with torch.no_grad():
                wanted = encode(images)
                who = network.embed(wanted).float()
            alike = cosine_similarity(network.embed(seen).float(), who).mean()
            felt = mse_loss(seen.float(), wanted.float())
            pixels = squared_error(made, images)
            return pixels + self.perceptual * felt + self.identity * (1 - alike)

        return lost
