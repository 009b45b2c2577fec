"""A1 by several attacks at once: of their faces the one that the others agree with is kept.

Attacks see different people in one release, and nobody who attacks knows whose face is right. What
he can ask is his own network: a person whom several attacks drew is more likely the right one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Generator
from torch.nn.functional import normalize

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.errors import SettingError
from facecrafter.models.part import frozen
from facecrafter.randomness import child
from facecrafter.training.pairs import Keep, Pairs, make_now
from facecrafter.training.people import PeopleTraining
from facecrafter.types import Embeddings, Features, Images

PIECE = 256  # faces told apart at once; of no influence on the result
WHOLE = "leg-people"  # folder of the network's training, whose seconds count as a leg's do


@dataclass(frozen=True)
class Member:
    """One of the attacks, and what its attacker has learnt."""

    attack: AbstractAttack
    view: AttackerView


@dataclass(frozen=True)
class ManyViews(AttackerView):
    """The view of an attacker who has several attacks, and tells people apart."""

    members: tuple[Member, ...] = ()
    who: Callable[[Images], Embeddings] | None = None  # alike for pictures of one person


@dataclass(frozen=True)
class Agreed(AbstractAttack):
    """For each release the face that is most alike to those of the other attacks, on average."""

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        if not isinstance(view, ManyViews) or view.who is None or len(view.members) < 2:
            raise SettingError(
                "to agree takes several attacks: give two `members` or more, and `who` tells "
                "people apart, in a ManyViews."
            )
        inverters = [
            member.attack.fit(member.view, child(rng, "member", number))
            for number, member in enumerate(view.members)
        ]
        return _Agreed(inverters, view.who)


class _Agreed(AbstractInverter):
    def __init__(
        self, inverters: list[AbstractInverter], who: Callable[[Images], Embeddings]
    ) -> None:
        super().__init__()
        self.inverters, self.who = inverters, who

    def forward(self, features: Features) -> Images:
        faces = torch.stack([inverter(features) for inverter in self.inverters], dim=1)
        with torch.no_grad():
            told = [self.who(piece).float() for piece in faces.flatten(0, 1).split(PIECE)]
        embeddings = normalize(torch.cat(told), dim=1).unflatten(0, faces.shape[:2])
        alike = embeddings @ embeddings.transpose(1, 2)  # each with itself too: 1 for all
        chosen = alike.sum(dim=2).argmax(dim=1)
        return faces[torch.arange(len(faces), device=faces.device), chosen]


@dataclass(frozen=True)
class Consensus(AbstractAdaptive):
    """Learn all that the members learn, from the same pairs; then let them agree.

    A member that searches while it learns does so anew when a killed run goes on. Raises
    `SettingError` for members that have other pairs.
    """

    members: tuple[AbstractAdaptive, ...]
    attack: AbstractAttack = field(default_factory=Agreed)
    people: PeopleTraining = field(default_factory=PeopleTraining)  # who is who; ours
    faces: int = 4000  # public ones that the attacker has protected; ours
    rounds: int = 2  # times that each of them is protected; ours

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise SettingError(f"{len(self.members)} members of Consensus: give two or more.")
        for member in self.members:
            if (member.faces, member.rounds) != (self.faces, self.rounds):
                raise SettingError(
                    f"a member protects {member.faces} faces {member.rounds} times, Consensus "
                    f"{self.faces} faces {self.rounds} times: give the same, for they share pairs."
                )

    def device(self, view: AttackerView) -> torch.device:
        view.need_encoder()
        devices = [member.device(view) for member in self.members]  # each says what it lacks
        return devices[0]

    def legs(
        self,
        view: AttackerView,
        pairs: Pairs,
        rng: Generator,
        folder: Path | None = None,
        keep: Keep = make_now,
    ) -> Iterator[AttackerView]:
        device, public = self.device(view), view.public
        if public is None:
            raise SettingError(
                "this attack learns people from public faces: give them in the view."
            )
        members: list[Member] = []
        for number, member in enumerate(self.members):
            own = None if folder is None else folder / f"member{number}"
            *_, learnt = member.legs(view, pairs, rng, own)
            members.append(Member(member.itself, learnt))
        kept = None if folder is None else folder / WHOLE
        encode, seed = view.need_encoder(), child(rng, "people").initial_seed()
        network = frozen(self.people.fit(encode, public, seed, kept, device))
        held = {one.name: getattr(view, one.name) for one in fields(AttackerView)}
        held |= {"public": None, "protect": None}
        yield ManyViews(
            **held, members=tuple(members), who=lambda images: network.embed(encode(images))
        )
