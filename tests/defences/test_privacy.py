"""L_p by an exact assignment and by a critic."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance_nd

from facecrafter.defences.base import Offline
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.privacy import (
    AbstractDistance,
    AssignedDistance,
    CriticDistance,
    average_faces,
)
from facecrafter.errors import DataError, SettingError
from facecrafter.randomness import child, stream
from facecrafter.types import Images
from helpers import random_images, tiny_offline, tiny_prior
from linear_networks import LinearCritic, linear_network, photographs

IMAGES = 4


def offline(critic: LinearCritic | None = None) -> Offline:
    return replace(linear_network().offline(), critic=critic)


def begun(distance: AbstractDistance, faces: Images, seed: int = 0) -> Any:
    return distance.begin(offline(), faces, stream(seed, "privacy"))


def drawn(count: int, seed: int = 0) -> Images:
    """The average faces that `begun` deals out, in the order in which they are drawn."""
    return average_faces(
        offline(), count, child(stream(seed, "privacy"), "average"), photographs(1)
    )


def blurred(images: Images, size: int = 4) -> Images:
    """Means over squares, written without pooling."""
    return images.unflatten(3, (-1, size)).unflatten(2, (-1, size)).mean(dim=(3, 5))


def cost(faces: Images, average: Images) -> float:
    return (blurred(faces) - blurred(average)).flatten(1).norm(dim=1).sum().item()


@pytest.mark.parametrize("seed", range(3))
def test_assignment_has_the_least_sum_of_distances_of_all(seed: int) -> None:
    faces, average = photographs(IMAGES, seed), drawn(IMAGES, seed)
    best = min(permutations(range(IMAGES)), key=lambda order: cost(faces, average[list(order)]))
    assert torch.equal(begun(AssignedDistance(), faces, seed).assigned, average[list(best)])


def test_sum_of_distances_is_the_earth_movers_distance() -> None:
    faces, average = photographs(IMAGES), drawn(IMAGES)
    assigned = begun(AssignedDistance(), faces).assigned
    expected = wasserstein_distance_nd(
        blurred(faces).flatten(1).numpy(), blurred(average).flatten(1).numpy()
    )
    assert cost(faces, assigned) / IMAGES == pytest.approx(expected, rel=1e-6)


def test_choice_draws_more_faces_and_comes_nearer() -> None:
    faces = photographs(IMAGES)
    one, three = (begun(AssignedDistance(choice=n), faces).assigned for n in (1, 3))
    average = drawn(3 * IMAGES)
    pairs = torch.cdist(blurred(faces).flatten(1), blurred(average).flatten(1))
    rows, columns = linear_sum_assignment(pairs.numpy())
    assert torch.equal(three, average[torch.from_numpy(columns)])
    assert cost(faces, three) == pytest.approx(pairs[rows, columns].sum().item())
    assert cost(faces, three) < cost(faces, one)


def test_faces_that_are_the_average_ones_are_at_distance_0() -> None:
    faces = drawn(IMAGES)[[2, 0, 3, 1]]
    measure = begun(AssignedDistance(), faces)
    assert torch.equal(measure.assigned, faces)
    assert measure.of(faces).tolist() == [0.0] * IMAGES


def test_distance_is_the_mean_square_over_pixels() -> None:
    faces = photographs(IMAGES)
    measure = begun(AssignedDistance(), faces)
    expected = [
        sum((face - other).flatten().square().tolist()) / (3 * 8 * 8)
        for face, other in zip(faces, measure.assigned, strict=True)
    ]
    assert measure.of(faces).tolist() == pytest.approx(expected)


def test_distance_is_differentiable_and_of_each_face_alone() -> None:
    faces = photographs(IMAGES)
    measure = begun(AssignedDistance(), faces)
    jacobian = torch.autograd.functional.jacobian(measure.of, faces)
    for i in range(IMAGES):
        for j in range(IMAGES):
            assert bool((jacobian[i, j] != 0).any()) == (i == j)
    small = 1e-5 * torch.randn(faces.shape, generator=stream(0, "way"), dtype=torch.float64)
    differences = measure.of(faces + small) - measure.of(faces - small)
    along = 2 * torch.einsum("iichw,ichw->i", jacobian, small)
    torch.testing.assert_close(along, differences, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("setting", [{"blur": 0}, {"choice": 0}], ids=repr)
def test_assigned_distance_refuses_settings_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        AssignedDistance(**setting)


def test_faces_too_small_to_be_blurred_are_refused() -> None:
    crafter = Crafter(steps=1, distance=AssignedDistance(blur=65))
    with pytest.raises(SettingError, match=r"blur=65.*64 pixels"):
        crafter.fit(tiny_offline(), stream(0))(random_images(), stream(0))


@pytest.mark.parametrize(
    "setting", [{"steps": 0}, {"minibatch": 1}, {"rate": 0.0}, {"penalty": -1.0}], ids=repr
)
def test_critic_distance_refuses_settings_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        CriticDistance(**setting)


def with_critic(steps: int, seed: int = 0, **settings: Any) -> Any:
    """The measure of a linear critic that starts at D = 0."""
    critic = LinearCritic(3 * 8 * 8)
    with torch.no_grad():
        for value in critic.parameters():
            value.zero_()
    recipe = CriticDistance(steps, minibatch=4, rate=0.01, trained=True, **settings)
    return recipe.begin(offline(critic), photographs(IMAGES), stream(seed, "privacy"))


def test_critic_scores_average_faces_higher_than_the_batch() -> None:
    """-D is L_p, so it is low on average faces and high on a batch that differs from them."""
    faces = photographs(IMAGES).clamp(0, 0.3)  # dark, where average faces are grey
    measure = with_critic(30)
    privacy = measure.of(faces)
    assert (privacy.min() > -measure.critic(measure.average).min()).all()


def test_against_the_gradient_of_the_critic_faces_become_average() -> None:
    faces = photographs(IMAGES).clamp(0, 0.3)
    measure = with_critic(5)
    average = measure.average.mean(dim=0)
    far = []
    for _ in range(8):
        faces.requires_grad_()
        privacy = measure.of(faces)
        (slope,) = torch.autograd.grad(privacy.sum(), faces)
        faces = faces.detach()
        assert (slope * (average - faces)).sum() < 0  # downhill leads to average faces
        lower = -measure.critic(faces - slope)
        assert (lower < privacy).all()
        far.append((faces - average).square().mean().item())
        faces = faces - 0.3 * slope
    assert far == sorted(far, reverse=True)
    assert far[-1] < far[0]


def test_first_step_of_the_critic_is_that_of_its_loss() -> None:
    """w moves by rate x sign(mean(average) - mean(batch)), when only line 7's means count."""
    faces = photographs(IMAGES)
    measure = with_critic(1, penalty=0.0, steep=0.0)
    measure.of(faces)
    weight = measure.critic.linear.weight.view(3, 8, 8)
    expected = 0.01 * (measure.average.mean(dim=0) - faces.mean(dim=0)).sign()
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_penalty_is_steep_only_while_it_exceeds_1() -> None:
    """D = w . x has slope |w| everywhere, so the penalty is (|w| - 1)^2."""
    faces = photographs(IMAGES)

    def moved(length: float, penalty: float, steep: float) -> torch.Tensor:
        measure = with_critic(1, penalty=penalty, steep=steep)
        weight = measure.critic.linear.weight
        with torch.no_grad():
            weight.fill_(length / weight.numel() ** 0.5)
        measure.adam = torch.optim.SGD(measure.critic.parameters(), 1.0)
        before = weight.detach().clone()
        measure.of(faces)
        return weight.detach() - before

    for length, steep_counts in ((1.5, False), (2.5, True), (0.5, False)):
        plain = moved(length, 0.0, 0.0)
        weight = 7.0 if steep_counts else 3.0
        direction = torch.full_like(plain, plain.numel() ** -0.5)
        expected = plain - weight * 2 * (length - 1) * direction
        torch.testing.assert_close(moved(length, 3.0, 7.0), expected, rtol=1e-6, atol=1e-8)


def test_critic_is_not_part_of_the_gradient_of_the_faces() -> None:
    measure = with_critic(2)
    faces = photographs(IMAGES).requires_grad_()
    measure.of(faces).sum().backward()
    assert faces.grad is not None
    before = measure.critic.linear.weight.detach().clone()
    measure.of(faces)
    assert not torch.equal(measure.critic.linear.weight, before)  # and it goes on learning


def test_a_fresh_critic_comes_from_the_stream_and_not_from_torchs_own() -> None:
    faces = torch.rand(2, 3, 64, 64, generator=stream(0, "faces"))
    recipe = CriticDistance(steps=1, minibatch=2, width=2)

    def privacy(global_seed: int, seed: int) -> torch.Tensor:
        torch.manual_seed(global_seed)
        measure = recipe.begin(
            Offline(lambda images: images, tiny_prior()), faces, stream(seed, "privacy")
        )
        return measure.of(faces).detach()

    assert torch.equal(privacy(0, 0), privacy(1, 0))
    assert not torch.equal(privacy(0, 0), privacy(0, 1))


def test_one_face_is_too_small_a_batch_for_a_critic() -> None:
    with pytest.raises(DataError, match="AssignedDistance"):
        begun(CriticDistance(), photographs(1))


def test_a_critic_that_is_not_there_is_asked_for() -> None:
    with pytest.raises(SettingError, match="trained=True"):
        begun(CriticDistance(trained=True), photographs(2))
