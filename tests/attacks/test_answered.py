"""An attacker who sees nothing but the cloud's answers."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from facecrafter.attacks.answered import Answered, CloudView
from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.retrained import Retrained
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from facecrafter.training.continued import Continuation
from facecrafter.types import Features, Images, Logits
from painted import decoder, encoder, error, guesses, plain, private, view

READER = Retrained(training=Continuation(epochs=24, batch=32, rate=4e-3), width=32)
ATTACK = Answered(reader=READER, faces=240, rounds=1)


def all_of_it(features: Features) -> Logits:
    """Answers that say where what is: means over 4 x 4 fields of each channel."""
    return torch.nn.functional.adaptive_avg_pool2d(features, 4).flatten(1)


def able(answers: object) -> AttackerView:
    known = replace(view(decoder(14)), protect=lambda images: encoder()(images).detach())
    held = {one.name: getattr(known, one.name) for one in fields(AttackerView)}
    return CloudView(**held, answers=answers)  # type: ignore[arg-type]


def attacked(answers: object, features: Tensor) -> Images:
    return ATTACK.fit(able(answers), stream(0, "attack"))(features)


def test_reads_what_the_answers_say_and_nothing_more() -> None:
    _, blind = guesses()
    told = error(attacked(all_of_it, plain())).mean()
    silent = error(attacked(lambda some: some.new_zeros(len(some), 5), plain())).mean()
    assert told < 0.6 * blind.mean()
    assert silent > 0.8 * blind.mean()


def test_what_has_the_same_answers_has_the_same_face() -> None:
    """Whatever else a release says: this attacker does not look at it."""
    same = plain() + 0.0
    same[:, :, ::2] = plain()[:, :, 1::2]
    same[:, :, 1::2] = plain()[:, :, ::2]  # rows change places within each field
    attack = ATTACK.fit(able(all_of_it), stream(0, "attack"))
    assert not same.equal(plain())
    assert torch.allclose(attack(same), attack(plain()), atol=1e-4)
    assert len(private()) == len(same)


def test_nobody_to_ask_is_an_error_that_says_so() -> None:
    with pytest.raises(SettingError, match="give `answers` in a CloudView"):
        ATTACK.fit(replace(view(decoder(14)), protect=encoder()), stream(0, "attack"))
    with pytest.raises(SettingError, match="faces=0 of Answered"):
        replace(ATTACK, faces=0)
    with pytest.raises(SettingError, match="width=8 of Retrained"):
        replace(ATTACK, reader=replace(READER, width=8))
