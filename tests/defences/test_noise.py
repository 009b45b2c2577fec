"""The exact formula of additive noise."""

import pytest
import torch

from facecrafter.defences.noise import Noise
from facecrafter.errors import SettingError
from facecrafter.randomness import stream
from linear_networks import drawn_by, linear_network, photographs


def noise_of(deviation: float, count: int = 4) -> torch.Tensor:
    network = linear_network()
    protector = Noise(deviation).fit(network.offline(), stream(0, "fit"))
    release = protector(photographs(count), stream(0, "defence"))
    return release.features - network.enc(photographs(count))


@pytest.mark.parametrize("deviation", [0.0, 0.5, 3.0])
def test_release_is_the_feature_plus_deviation_times_the_normal_numbers_drawn(
    deviation: float,
) -> None:
    drawn = torch.randn(4, 3, 8, 8, generator=drawn_by(stream(0, "defence"))).double()
    torch.testing.assert_close(noise_of(deviation), deviation * drawn)


def test_noise_has_the_moments_of_a_normal_distribution() -> None:
    noise = noise_of(2.0, 50).flatten() / 2.0  # 9,600 numbers
    error = len(noise) ** -0.5
    assert noise.mean().abs() < 4 * error
    assert (noise.std() - 1).abs() < 4 * error
    assert (noise.pow(4).mean() - 3).abs() < 4 * 96**0.5 * error  # variance of x^4 is 96


@pytest.mark.parametrize("deviation", [-1.0, float("inf"), float("nan")])
def test_deviation_out_of_range_is_refused(deviation: float) -> None:
    with pytest.raises(SettingError, match="deviation"):
        Noise(deviation)
