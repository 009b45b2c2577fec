"""Where there is a GPU: what a CPU gives, a GPU gives too. Skipped, visibly, elsewhere."""

import copy
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from facecrafter.attacks.answered import Answered
from facecrafter.attacks.averaged import Averaged
from facecrafter.attacks.base import AbstractAttack, AttackerView
from facecrafter.attacks.consensus import Consensus
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.deep_image_prior import DeepImagePrior
from facecrafter.attacks.identified import Identified
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.null_space import NullSpace
from facecrafter.attacks.other_prior import ManyPriors, OtherPrior
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.purified import Purified
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.rmle import Rmle
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.inversion import Descent
from facecrafter.randomness import stream
from facecrafter.training.continued import Continuation
from facecrafter.training.people import PeopleTraining
from helpers import (
    ATTACKS,
    DEFENCES,
    random_images,
    tiny_offline,
    tiny_prior,
    tiny_target,
    tiny_view,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")

Held = TypeVar("Held", Offline, AttackerView)

SHORT = Descent(3, 0.1)
TRAINING = Continuation(1, batch=8)
DEEP = Retrained(training=TRAINING, faces=16, rounds=2, width=8, perceptual=0.1)
PEOPLE = PeopleTraining(1, (4, 4, 4), epochs=1, batch=4)
ONE = ShadowDecoder(1)
MORE: tuple[AbstractAttack, ...] = (
    Continued(ONE, "decoders", TRAINING, 16, 2),
    Continued(LatentSearch(SHORT, restarts=1), "prior", TRAINING, 16, 2, SHORT),
    DEEP,
    Identified(training=TRAINING, faces=16, rounds=2, width=8, people=PEOPLE),
    Answered(ONE, replace(DEEP, width=16), 16, 2),
    Purified(ONE, TRAINING, 16, 2, 8),
    Consensus((DEEP, Purified(ONE, TRAINING, 16, 2, 8)), people=PEOPLE, faces=16, rounds=2),
    Averaged(ONE),
    NullSpace(PixelSearch(ONE, SHORT, restarts=1), search=SHORT),
    Rmle(search=SHORT),
    DeepImagePrior(search=SHORT, width=4),
    OtherPrior("mine", LatentSearch(SHORT, restarts=1)),
)


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Products of 32 bits, as a CPU has them."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def moved(part: object) -> object:
    """A copy on the GPU; of a method, the method of a copy."""
    if isinstance(part, nn.Module):
        return copy.deepcopy(part).to("cuda")
    if isinstance(part, tuple):
        return tuple(moved(one) for one in part)
    if isinstance(part, dict):
        return {name: moved(one) for name, one in part.items()}
    owner = getattr(part, "__self__", None)
    return part if owner is None else getattr(moved(owner), part.__name__)  # type: ignore


def on_gpu(held: Held) -> Held:
    return replace(held, **{one.name: moved(getattr(held, one.name)) for one in fields(held)})


def near(cpu: Tensor, gpu: Tensor, loosely: bool = False) -> None:
    """Signs of tiny slopes differ, and Adam makes steps of them: some numbers may be elsewhere."""
    assert gpu.is_cuda
    assert gpu.shape == cpu.shape
    away = (gpu.cpu() - cpu).abs() / cpu.abs().mean()
    assert away.median() < (0.05 if loosely else 0.01)


@pytest.mark.parametrize("defence", DEFENCES, ids=repr)
def test_a_defence(defence: AbstractDefence) -> None:
    images, found = random_images(), []
    for offline, where in ((tiny_offline(), "cpu"), (on_gpu(tiny_offline()), "cuda")):
        protector = defence.fit(offline, stream(0, "fit")).to(where)
        release = protector(images.to(where), stream(0, "rng"))
        found.append(release.in_order_of_images().detach())
    near(*found, loosely=True)


@pytest.mark.parametrize("attack", [*ATTACKS, *MORE], ids=repr)
def test_an_attack(attack: AbstractAttack) -> None:
    with torch.no_grad():
        features = tiny_target().encode(random_images())
    known = tiny_view()
    held = {one.name: getattr(known, one.name) for one in fields(AttackerView)}
    held |= {"public": synthetic(0, 4, 8, 64), "protect": tiny_target().encode}
    answers, priors = tiny_target().head, {"mine": tiny_prior()}
    view, found = ManyPriors(**held, answers=answers, priors=priors), []
    for mine, where in ((view, "cpu"), (on_gpu(view), "cuda")):
        inverter = attack.fit(mine, stream(0, "attack")).to(where)
        found.append(inverter(features.to(where)).detach())
    near(*found, loosely=True)
