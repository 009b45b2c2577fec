"""A1: who has the defence learns from what it releases."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.errors import DataError, SettingError
from facecrafter.inversion import Descent
from facecrafter.randomness import stream
from facecrafter.training.continued import Continuation
from facecrafter.training.pairs import BATCH, Pairs, intercepted
from facecrafter.types import Features, Images, Latents
from linear_networks import LinearPrior
from painted import LATENT, SIZE, decoder, encoder, error, guesses, prior, private, public, view

TRAINING = Continuation(epochs=14, legs=2, batch=32, rate=4e-3)
ATTACK = Continued(ShadowDecoder(1), training=TRAINING, faces=240, rounds=1)


class Drawn(nn.Module):
    """Draws as `prior` does, with weights that can learn."""

    def __init__(self) -> None:
        super().__init__()
        drawn = prior()(torch.cat([torch.zeros(1, LATENT), torch.eye(LATENT)]))
        self.mean = nn.Parameter(drawn[0])
        self.components = nn.Parameter((drawn[1:] - drawn[0]).flatten(1))

    def forward(self, latents: Latents) -> Images:
        return self.mean + (latents @ self.components).view(-1, 3, SIZE, SIZE)


def negative(images: Images) -> Features:
    """A weak defence of the crafting kind: it releases what another image has."""
    with torch.no_grad():
        return encoder()(1 - images)


def turned(images: Images) -> Features:
    """A weak defence: it hides from a decoder that was trained on plain features, and only so."""
    with torch.no_grad():
        return -encoder()(images).flip(1)


def adaptive(*shadows: nn.Module) -> AttackerView:
    return replace(view(*shadows), protect=turned)


def pairs_of(count: int, rounds: int = 1) -> Pairs:
    return intercepted(turned, public().take(range(count)), rounds)


def test_a_decoder_that_goes_on_breaks_what_hides_from_the_basic_one() -> None:
    basic = decoder(14)
    _, blind = guesses()
    released = turned(private())
    before = ShadowDecoder(1).fit(view(basic), stream(0, "attack"))(released)
    after = ATTACK.fit(adaptive(basic), stream(0, "attack"))(released)
    assert (error(before) > 0.8 * blind).all()
    assert (error(after) < 0.4 * blind).all()


def test_a_prior_that_goes_on_draws_who_was_hidden() -> None:
    search = Descent(40, 0.2)
    training = Continuation(30, 1, 32, 2e-3, "RMSProp")
    attack = Continued(LatentSearch(search, None, 1), "prior", training, 240, 1, search)
    drawn = Drawn()
    seen = replace(adaptive(), prior=LinearPrior(LATENT, drawn), protect=negative)
    before = attack.attack.fit(seen, stream(1, "attack"))(negative(private()))
    after = attack.fit(seen, stream(1, "attack"))(negative(private()))
    _, blind = guesses()
    assert error(before).mean() > 0.8 * blind.mean()
    assert error(after).mean() < 0.4 * blind.mean()
    assert torch.equal(drawn.mean, Drawn().mean)  # a copy was trained


def test_decoders_are_averaged() -> None:
    """The one that explains a release best by its plain feature is the one that learnt least."""
    pairs = pairs_of(64)
    view = adaptive(decoder(2), decoder(2, 1))
    *_, learnt = replace(ATTACK, training=replace(TRAINING, epochs=1)).legs(
        view, pairs, stream(0, "a")
    )
    (mean,) = learnt.shadows
    released = turned(private())
    each = [one(released) for one in mean.decoders]  # type: ignore[union-attr]
    assert not torch.equal(*each)
    assert torch.allclose(mean(released), (each[0] + each[1]) / 2)


def test_legs_go_on_and_a_killed_one_ends_the_same(tmp_path: Path) -> None:
    training = replace(TRAINING, epochs=1)
    pairs = pairs_of(64)
    whole = [copied(d) for d in training.run(decoder(2), pairs)]
    first = next(training.run(decoder(2), pairs, folder=tmp_path))
    assert same(whole[0], copied(first))
    assert not same(whole[0], whole[1])
    *_, last = training.run(decoder(2), pairs, folder=tmp_path)  # the first leg is there
    assert same(whole[1], copied(last))
    with pytest.raises(SettingError, match="not from the same pairs"):
        next(
            training.run(
                decoder(2), intercepted(encoder(), public().take(range(64))), folder=tmp_path
            )
        )


def test_each_face_is_protected_anew_in_each_round() -> None:
    calls: list[int] = []

    def counting(images: Images) -> Features:
        calls.append(len(images))
        return turned(images) + len(calls)

    numbers: list[int] = []

    def keep(number: int, make: Callable[[], Tensor]) -> Tensor:
        numbers.append(number)
        return make()

    pairs = intercepted(counting, public().take(range(BATCH + 6)), 2, keep=keep)
    assert calls == [BATCH, 6, BATCH, 6]
    assert numbers == [0, 1, 2, 3]
    assert (len(pairs), pairs.rounds) == (BATCH + 6, 2)
    assert not torch.equal(pairs.images[0], pairs.images[1])  # another view
    chosen, cpu = torch.tensor([3, BATCH + 1]), torch.device("cpu")
    for epoch in (0, 1, 2):
        features, images = pairs.some(epoch, chosen, cpu)
        made = turned(images) + torch.tensor([1 + 2 * (epoch % 2), 2 + 2 * (epoch % 2)]).view(
            -1, 1, 1, 1
        )
        assert torch.allclose(features, made, atol=1e-5)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(SettingError, match="give `protect` and `public`"):
        ATTACK.fit(view(decoder(2)), stream(0, "a"))
    with pytest.raises(SettingError, match="no decoder in the view"):
        ATTACK.fit(adaptive(), stream(0, "a"))
    black = replace(adaptive(decoder(2)), encoder=None)
    with pytest.raises(SettingError, match="needs the encoder"):
        replace(ATTACK, what="prior").pairs(black, stream(0, "a"))  # before anything is protected
    with pytest.raises(SettingError, match="faces=0 of Continued"):
        replace(ATTACK, faces=0)
    with pytest.raises(SettingError, match="0 rounds of 240 faces"):
        intercepted(turned, public(), 0)
    with pytest.raises(DataError, match=r"inputs for \(1, 3\) rounds and faces"):
        next(TRAINING.run(decoder(2), pairs_of(64), torch.zeros(1, 3, 5)))


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)
