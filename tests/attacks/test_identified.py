"""A decoder that is told whose face it should draw; and the network that tells it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from facecrafter.attacks.identified import Identified
from facecrafter.attacks.retrained import Retrained
from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.errors import DataError, SettingError
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import child, stream
from facecrafter.training.continued import Continuation
from facecrafter.training.pairs import Pairs
from facecrafter.training.people import PeopleTraining
from facecrafter.types import Features, Images
from painted import SIZE, decoder, encoder, error, guesses, plain, private, public, view

PEOPLE = PeopleTraining(4, (16, 16, 16), epochs=12, batch=32, rate=4e-3)
LONG = Continuation(epochs=24, batch=32, rate=4e-3)
RETRAINED = Retrained(training=LONG, faces=240, rounds=1, width=24)
ATTACK = Identified(training=LONG, faces=240, rounds=1, width=24, people=PEOPLE)
ABLE = replace(view(decoder(14)), protect=lambda images: encoder()(images).detach())


def alike(network: Surrogate, one: Features, other: Features) -> torch.Tensor:
    """Cosines of each with each, (one, other)."""
    return normalize(network.embed(one)) @ normalize(network.embed(other)).T


def drawn(attack: Retrained, pairs: Pairs, features: Features) -> Images:
    *_, learnt = attack.legs(ABLE, pairs, stream(0, "a"))
    return attack.itself.fit(learnt, stream(0, "b"))(features)


def test_the_network_knows_people_whom_it_never_saw() -> None:
    network = PEOPLE.fit(encoder(), public())
    strangers = synthetic(1, people=20, photographs=3, size=SIZE)
    with torch.no_grad():
        seen = encoder()(strangers.images())
        cosines = alike(network, seen, seen).numpy()
    same = strangers.identities[:, None] == strangers.identities[None]
    itself = np.eye(len(same), dtype=bool)
    assert cosines[same & ~itself].mean() > cosines[~same].mean() + 0.15


def test_people_who_are_seldom_or_not_known_teach_nothing() -> None:
    some = synthetic(0, people=6, photographs=4, size=SIZE)
    names = np.array(some.identities)
    names[:4], names[4] = NO_IDENTITY, NO_IDENTITY  # one is not known, one has three photographs
    trained = PEOPLE.fit(encoder(), _many(replace(some, identities=names)))
    assert trained.fc.out_features == 5  # with three copies of each the second has nine
    with pytest.raises(DataError, match="1 people have least=4 photographs"):
        PEOPLE.fit(encoder(), some.take(np.arange(4)))
    fewer = replace(PEOPLE, batch=8)
    assert fewer.fit(encoder(), replace(some, identities=names)).fc.out_features == 4


def _many(faces: Faces) -> Faces:
    return faces.take(np.tile(np.arange(len(faces)), 3))


def test_reads_the_plain_feature() -> None:
    images = ATTACK.fit(ABLE, stream(0, "attack"))(plain())
    same, blind = guesses()
    assert error(images).mean() < 0.3 * blind.mean()
    assert same.mean() < 1
    assert len(images) == len(private())


def test_it_draws_more_of_who_it_is_than_without() -> None:
    """By the network that told it, and of the faces that it learnt: the loss is felt."""
    short = Continuation(12, batch=32, rate=4e-3)
    told, deaf = replace(ATTACK, training=short), replace(RETRAINED, training=short)
    pairs = told.pairs(ABLE, stream(0, "a"))
    network = PEOPLE.fit(encoder(), public(), child(stream(0, "a"), "people").initial_seed())
    faces = encoder()(pairs.images[0].float() / 255)

    def strange(attack: Retrained) -> float:
        seen = encoder()(drawn(attack, pairs, pairs.features[0]))
        return 1 - alike(network, seen, faces).diagonal().mean().item()

    assert strange(told) < 0.8 * strange(deaf)


def test_same_seed_gives_the_same_and_a_killed_one_goes_on(tmp_path) -> None:
    short = replace(ATTACK, training=Continuation(1, batch=32), people=replace(PEOPLE, epochs=1))
    pairs = short.pairs(ABLE, stream(0, "a"))
    first = drawn(short, pairs, plain())
    for _ in range(2):  # trained, then read
        *_, learnt = short.legs(ABLE, pairs, stream(0, "a"), tmp_path)
        assert torch.equal(short.itself.fit(learnt, stream(0, "b"))(plain()), first)
    assert {path.name for path in tmp_path.iterdir()} == {"leg0", "leg-people"}  # both are timed
    assert learnt.public is None
    assert learnt.protect is None


def test_what_it_lacks_is_named() -> None:
    with pytest.raises(SettingError, match="needs the encoder"):
        ATTACK.pairs(replace(ABLE, encoder=None), stream(0, "a"))
    pairs = replace(ATTACK, faces=32).pairs(ABLE, stream(0, "a"))
    with pytest.raises(SettingError, match="learns people from public faces"):
        next(iter(ATTACK.legs(replace(ABLE, public=None), pairs, stream(0, "a"))))
    with pytest.raises(SettingError, match="identity=0 of Identified"):
        replace(ATTACK, identity=0)
    with pytest.raises(SettingError, match="width=4 of Identified"):
        replace(ATTACK, width=4)
