"""AdvFace: how far an entry is moved, and what that does to the shadow decoder."""

import pytest
import torch

from equipment import SHADOW, device, handed, painted
from facecrafter.defences.adv_face import AdvFace
from facecrafter.errors import DataError, SettingError
from facecrafter.randomness import stream
from facecrafter.training.decoder import DecoderTraining
from helpers import tiny_target

IMAGES = painted().images(range(6))


def moved(epsilon: float, steps: int = 10) -> torch.Tensor:
    protector = device(AdvFace(epsilon, steps, shadow=SHADOW))
    return protector(IMAGES, stream(0, "defence")).features


def error(features: torch.Tensor) -> torch.Tensor:
    shadow = handed(AdvFace(1.0, shadow=SHADOW)).equipment
    return shadow.errors(features, IMAGES)  # type: ignore[union-attr]


@pytest.mark.parametrize("epsilon", [0.3, 1.0])
def test_no_entry_is_moved_by_more_than_the_bound_in_deviations(epsilon):
    raw = tiny_target().encode(painted().images())
    deviation = (raw - raw.mean(dim=(0, 2, 3), keepdim=True)).square().mean().sqrt()
    farthest = (moved(epsilon) - tiny_target().encode(IMAGES)).abs().max()
    torch.testing.assert_close(farthest, epsilon * deviation, rtol=1e-4, atol=1e-6)


def test_the_error_of_the_shadow_rises_with_the_bound_for_every_photograph():
    errors = [error(moved(epsilon)) for epsilon in (0.01, 0.3, 1.0)]
    assert (errors[0] < errors[1]).all()
    assert (errors[1] < errors[2]).all()


def test_the_direction_counts():
    """As much noise without a direction raises the error by far less."""
    raw, crafted = tiny_target().encode(IMAGES), moved(0.3)
    size = (crafted - raw).abs().max()
    sign = torch.rand(raw.shape, generator=stream(0, "sign")).sub(0.5).sign()
    plain, noisy, away = (error(one).mean() for one in (raw, raw + size * sign, crafted))
    assert away - plain > 2 * (noisy - plain)


def test_the_shadow_is_no_attackers_decoder():
    """Even of the same recipe and the same seed."""
    shadow = handed(AdvFace(1.0, shadow=SHADOW)).equipment
    theirs = SHADOW.fit(tiny_target().encode, painted(), 0)
    images = IMAGES[:2]
    mine = shadow.decoder(tiny_target().encode(images))  # type: ignore[union-attr]
    assert (mine - theirs(tiny_target().encode(images))).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", 0.0), ("epsilon", -1.0), ("epsilon", float("nan")), ("steps", 0), ("stride", 0.0)],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(SettingError, match=f"{name}="):
        AdvFace(**{name: value})


def test_too_few_faces_are_refused():
    many = AdvFace(1.0, shadow=DecoderTraining(width=24, epochs=1, batch=64))
    with pytest.raises(DataError, match="0 steps"):
        device(many)
