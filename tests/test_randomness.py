"""Streams: repeatable where they must be, unguessable where they must be."""

import torch

from facecrafter.randomness import child, normal, permutation, secret, stream


def first(rng: torch.Generator) -> list[float]:
    return torch.rand(4, generator=rng).tolist()


def test_a_name_gives_one_stream() -> None:
    assert first(stream(0, "a")) == first(stream(0, "a"))
    assert first(stream(0, "a")) != first(stream(0, "b"))
    assert first(stream(0, "a")) != first(stream(1, "a"))


def test_a_child_follows_from_where_its_parent_stands_and_leaves_it_there() -> None:
    parent = stream(0, "parent")
    before = parent.get_state()
    one, other = first(child(parent, "x")), first(child(parent, "x"))
    assert one == other
    assert one != first(child(parent, "y"))
    assert torch.equal(parent.get_state(), before)
    torch.rand(1, generator=parent)
    assert first(child(parent, "x")) != one


def test_a_childs_state_is_not_a_function_of_32_bits() -> None:
    """torch keeps the low 32 bits of a seed; a generator made from those alone is another one."""
    made = child(stream(0, "parent"), "x")
    guessed = torch.Generator().manual_seed(made.initial_seed() & 0xFFFFFFFF)
    assert first(made) != first(guessed)


def test_secrets_differ() -> None:
    drawn = {tuple(first(secret())) for _ in range(50)}
    assert len(drawn) == 50


def test_a_child_draws_well() -> None:
    rng = child(secret(), "moments")
    sample = normal(20000, rng=rng, like=torch.zeros(0, dtype=torch.float64))
    assert abs(sample.mean().item()) < 5 / 20000**0.5
    assert abs(sample.std().item() - 1) < 0.03
    assert sorted(permutation(100, rng).tolist()) == list(range(100))
