"""What is moved along the range of J is read from what lies outside of it."""

from dataclasses import replace

import pytest
import torch

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.null_space import NullSpace, range_of
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.errors import SettingError
from facecrafter.implicit.products import linearise
from facecrafter.inversion import Descent
from facecrafter.models.prior import Prior
from facecrafter.randomness import normal, stream
from facecrafter.types import Features
from linear_networks import LinearPrior
from painted import LATENT, SIZE, Components, decoder, error, guesses, plain, private, view

PIXELS = PixelSearch(ShadowDecoder(1), Descent(150, 0.02), restarts=1)
ATTACK = NullSpace(PIXELS, batch=3)


def odd() -> Prior:
    """A prior that draws patterns in the place of faces, so that its range is not theirs."""
    drawn = Components(torch.rand(LATENT + 1, 3, SIZE, SIZE, generator=stream(4, "patterns")))
    return LinearPrior(LATENT, drawn)


def seen() -> AttackerView:
    return replace(view(decoder(14)), prior=odd())


def moved_along_the_range() -> Features:
    """A planted defence of the paper's kind: far along J of the prior, nowhere else."""
    flat = plain().flatten(1)
    basis = range_of(seen(), flat.new_zeros(len(flat), LATENT))
    along = normal(len(flat), LATENT, rng=stream(0, "along"), like=flat)
    return plain() + 0.5 * (basis @ along[..., None])[..., 0].view_as(plain())


def test_the_basis_spans_what_j_reaches() -> None:
    z = normal(2, LATENT, rng=stream(1, "z"), like=torch.zeros(1))
    basis = range_of(view(), z)
    assert torch.allclose(basis.mT @ basis, torch.eye(LATENT).expand(2, -1, -1), atol=1e-4)
    v = normal(2, LATENT, rng=stream(2, "v"), like=z)
    reached = linearise(view().explain, z).push(v).flatten(1)
    inside = (basis @ (basis.mT @ reached[..., None]))[..., 0]
    assert torch.allclose(inside, reached, atol=1e-4)


def test_reads_what_was_moved_along_the_range() -> None:
    released = moved_along_the_range()
    basic = PIXELS.fit(seen(), stream(0, "attack"))(released)
    ours = ATTACK.fit(seen(), stream(0, "attack"))(released)
    assert (error(ours) < error(basic)).all()
    assert error(ours).mean() < 0.85 * error(basic).mean()


def test_reads_the_plain_feature_and_not_another() -> None:
    read = ATTACK.fit(view(decoder(14)), stream(0, "attack"))(plain())
    assert error(read).mean() < 0.25 * guesses()[1].mean()
    other = ATTACK.fit(view(decoder(14)), stream(0, "attack"))(plain().roll(1, dims=0))
    assert error(other).mean() > 4 * error(read).mean()


def test_with_all_of_its_weight_it_is_the_attack_itself() -> None:
    one = replace(ATTACK, weight=1.0, batch=len(private()))
    made = one.fit(view(decoder(14)), stream(0, "attack"))(plain())
    itself = PIXELS.fit(view(decoder(14)), stream(0, "attack"))(plain())
    assert torch.allclose(made, itself, atol=0.02)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(SettingError, match="needs the encoder"):
        ATTACK.fit(replace(seen(), encoder=None), stream(0, "a"))
    with pytest.raises(SettingError, match="weight=2"):
        NullSpace(weight=2)
