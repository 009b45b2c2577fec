"""Every recipe: a few steps on noise, the same for the same seed, exactly resumed."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facecrafter.errors import DataError, SettingError
from facecrafter.models.decoder import LinearDecoder
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet
from facecrafter.training import loop
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.judge import JudgeTraining
from facecrafter.training.prior import PriorTraining
from facecrafter.training.target import TargetTraining

NARROW = (4, 6, 8, 10)
PRIOR = PriorTraining(
    latent_dim=4, width=4, critic_width=4, batch=8, warm_epochs=2, steps=3, critic_steps=2
)
Fit = Callable[..., nn.Module]


@pytest.fixture(scope="module")
def target() -> ResNet:
    torch.manual_seed(0)
    return frozen(ResNet(2, 18, NARROW))


@pytest.fixture(scope="module")
def prior() -> Prior:
    torch.manual_seed(1)
    return frozen(Prior(4, 4, 64))


@pytest.fixture(params=["target", "prior", "judge", "amortiser", "decoder"])
def fit(request, faces, target, prior) -> Fit:
    """Each recipe as a function of seed and folder."""
    amortiser = AmortiserTraining(width=4, steps=6, batch=8)
    decoder = DecoderTraining(width=8, epochs=3, batch=8)
    recipes: dict[str, Fit] = {
        "target": lambda **k: TargetTraining(widths=NARROW, epochs=3, batch=8).fit(faces, **k),
        "prior": lambda **k: PRIOR.fit(faces, **k),
        "judge": lambda **k: JudgeTraining(18, NARROW, epochs=3, batch=8).fit(faces, **k),
        "amortiser": lambda **k: amortiser.fit(target.encode, prior, **k),
        "decoder": lambda **k: decoder.fit(target.encode, faces, **k),
    }
    return recipes[request.param]


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return all(torch.equal(first[key], second[key]) for key in first | second)


def stop_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the so-manieth step of all."""
    check, left = loop._refuse_divergence, [count]

    def interrupts(*given: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGINT)
        check(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(loop, "_refuse_divergence", interrupts)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_resumes_to_the_same_weights(fit, tmp_path, monkeypatch):
    whole = fit(seed=0)
    assert not whole.training
    assert all(torch.isfinite(p).all() for p in whole.parameters())
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        with pytest.raises(KeyboardInterrupt):
            fit(seed=0, folder=tmp_path)
    assert same(fit(seed=0, folder=tmp_path), whole)
    with pytest.raises(SettingError, match="another recipe"):
        fit(seed=1, folder=tmp_path)
    assert not same(fit(seed=1), whole)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_the_prior_resumes_in_its_adversarial_part(faces, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(5, patch)  # four steps of warm start, then the first of three
        with pytest.raises(KeyboardInterrupt):
            PRIOR.fit(faces, folder=tmp_path)
    assert files(tmp_path / "adversarial") >= {"checkpoint.safetensors", "samples-000001.png"}
    assert same(PRIOR.fit(faces, folder=tmp_path), PRIOR.fit(faces))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_each_part_of_the_prior_can_be_left_out(faces):
    alone = PriorTraining(4, 4, critic_width=4, batch=8, warm_epochs=0, steps=2, anchor=0.0)
    warm = PriorTraining(4, 4, critic_width=4, batch=8, warm_epochs=1, steps=0)
    for recipe in (alone, warm):
        drawn = recipe.fit(faces)(torch.randn(2, 4))
        assert drawn.shape == (2, 3, 64, 64)


def test_the_authors_decoder_trains_too(faces, target):
    decoder = DecoderTraining("linear", epochs=1, batch=16).fit(target.encode, faces)
    assert isinstance(decoder, LinearDecoder)
    assert decoder(target.encode(faces.images())).shape == (16, 3, 64, 64)


def test_a_target_needs_attributes(faces):
    unknown = np.full((16, 2), np.nan, np.float32)
    faces = type(faces)(faces.pixels, faces.identities, unknown, faces.attribute_names)
    with pytest.raises(DataError, match="no face has attributes"):
        TargetTraining(widths=NARROW, batch=8).fit(faces)


def test_too_few_faces_for_a_batch_are_refused(faces):
    with pytest.raises(DataError, match="target has 0 steps"):
        TargetTraining(widths=NARROW, batch=17).fit(faces)


def test_a_target_is_built_the_same_for_the_same_seed():
    recipe = TargetTraining("resnet50", NARROW)
    assert same(recipe.build(3, 0), recipe.build(3, 0))
    assert not same(recipe.build(3, 0), recipe.build(3, 1))
    assert recipe.build(3, 0).encode(torch.rand(1, 3, 32, 32)).shape == (1, 16, 8, 8)


def test_a_judge_starts_from_the_weights_that_are_given(faces):
    torch.manual_seed(5)
    start = ResNet(9, 18, NARROW).state_dict()
    still = JudgeTraining(18, NARROW, epochs=1, batch=8, rate=0.0)
    judge = still.fit(faces, start=start)
    assert torch.equal(judge.body.conv1.weight, start["conv1.weight"])
    assert judge.body.fc.out_features == 4  # people, whatever their numbers


def test_mixed_precision_trains_too(faces):
    recipe = TargetTraining(widths=NARROW, epochs=1, batch=8, bfloat16=True)
    logits = recipe.fit(faces)(faces.images())
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
