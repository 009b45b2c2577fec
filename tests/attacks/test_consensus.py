"""Several attacks, and the face that they agree on."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import torch
from torch import Generator

from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.consensus import Agreed, Consensus, ManyViews, Member
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.errors import SettingError
from facecrafter.paper.cells import modules
from facecrafter.randomness import stream
from facecrafter.training.continued import Continuation
from facecrafter.training.people import PeopleTraining
from facecrafter.types import Features, Images
from painted import decoder, encoder, error, guesses, plain, private, view

SHORT = Continuation(epochs=2, batch=32, rate=4e-3)
PEOPLE = PeopleTraining(4, (16, 16, 16), epochs=2, batch=32, rate=4e-3)
DEEP = Retrained(training=SHORT, faces=64, rounds=1, width=24)
GOES_ON = Continued(ShadowDecoder(1), "decoders", SHORT, 64, 1)
ATTACK = Consensus((DEEP, GOES_ON), people=PEOPLE, faces=64, rounds=1)
ABLE = replace(view(decoder(14)), protect=lambda images: encoder()(images).detach())


@dataclass(frozen=True)
class Draws(AbstractAttack):
    """Draws each face as it is, or that of somebody else; both with grain of its own."""

    grain: int
    turn: int = 0

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        return _Draws(self)


class _Draws(AbstractInverter):
    def __init__(self, recipe: Draws) -> None:
        super().__init__()
        self.recipe = recipe

    def forward(self, features: Features) -> Images:
        images = private().roll(self.recipe.turn, 0)
        grain = torch.rand(images.shape, generator=stream(self.recipe.grain, "grain"))
        return (images + 0.02 * grain).clamp(0, 1)


def agreed(*attacks: AbstractAttack) -> Images:
    held = {one.name: getattr(view(), one.name) for one in fields(AttackerView)}
    members = tuple(Member(attack, view()) for attack in attacks)
    able = ManyViews(**held, members=members, who=lambda images: images.flatten(1) - 0.5)
    return Agreed().fit(able, stream(0, "a"))(plain())


def test_the_face_of_the_most_is_kept() -> None:
    for attacks in (
        (Draws(1), Draws(2), Draws(3, turn=1)),
        (Draws(3, turn=1), Draws(1), Draws(4, turn=2), Draws(2)),
    ):
        assert (error(agreed(*attacks)) < 1e-3).all()
    wrong = agreed(Draws(1), Draws(2, turn=1), Draws(3, turn=1))
    assert (error(wrong) > 1e-3).all()  # it asks the others, not the truth


def test_a_face_is_one_that_an_attack_drew() -> None:
    drawn = [attack.fit(view(), stream(0, "a"))(plain()) for attack in (Draws(1), Draws(2))]
    one = agreed(Draws(1), Draws(2))
    assert all(any(torch.equal(face, some[i]) for some in drawn) for i, face in enumerate(one))


def test_reads_the_plain_feature() -> None:
    longer = replace(SHORT, epochs=24)
    deep = replace(DEEP, training=longer, faces=240)
    both = Consensus((deep, replace(GOES_ON, faces=240)), people=PEOPLE, faces=240, rounds=1)
    images = both.fit(ABLE, stream(0, "attack"))(plain())
    _, blind = guesses()
    assert error(images).mean() < 0.3 * blind.mean()


def test_same_seed_gives_the_same_and_a_killed_one_goes_on(tmp_path: Path) -> None:
    pairs = ATTACK.pairs(ABLE, stream(0, "a"))
    first = ATTACK.fit(ABLE, stream(0, "a"))(plain())
    for _ in range(2):  # trained, then read
        (learnt,) = ATTACK.legs(ABLE, pairs, stream(0, "a"), tmp_path)
        assert torch.equal(ATTACK.itself.fit(learnt, stream(0, "a"))(plain()), first)
    trained = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("leg*")}
    assert trained == {"leg-people", "member0/leg0", "member1/decoder0/leg0"}  # all are timed
    assert learnt.public is None
    assert learnt.protect is None


def test_its_key_follows_the_code_of_its_members() -> None:
    assert set(modules(ATTACK)) >= {type(one).__module__ for one in (DEEP, GOES_ON, PEOPLE)}


def test_what_it_lacks_is_named() -> None:
    with pytest.raises(SettingError, match="needs the encoder"):
        ATTACK.pairs(replace(ABLE, encoder=None), stream(0, "a"))
    pairs = ATTACK.pairs(ABLE, stream(0, "a"))
    with pytest.raises(SettingError, match="learns people from public faces"):
        next(iter(ATTACK.legs(replace(ABLE, public=None), pairs, stream(0, "a"))))
    with pytest.raises(SettingError, match="1 members of Consensus"):
        replace(ATTACK, members=(DEEP,))
    with pytest.raises(SettingError, match="protects 32 faces 1 times, Consensus 64"):
        replace(ATTACK, members=(DEEP, replace(GOES_ON, faces=32)))
    with pytest.raises(SettingError, match="to agree takes several attacks"):
        Agreed().fit(view(), stream(0, "a"))
