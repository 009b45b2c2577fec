"""Every recipe: a few steps on noise, the same for the same seed, exactly resumed."""

import math
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facecrafter.data.faces import Faces
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.errors import DataError, SettingError
from facecrafter.models.decoder import LinearDecoder
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet, Vgg16
from facecrafter.training import loop
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.critic import CriticTraining
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.general import GeneralTraining, apart, view
from facecrafter.training.head import HeadTraining
from facecrafter.training.judge import JudgeTraining
from facecrafter.training.people import PeopleTraining
from facecrafter.training.prior import PriorTraining
from facecrafter.training.style import StyleTraining
from facecrafter.training.surrogate import SurrogateTraining
from facecrafter.training.target import TargetTraining

NARROW = (4, 6, 8, 10)
PRIOR = PriorTraining(
    latent_dim=4, width=4, critic_width=4, batch=8, warm_epochs=2, steps=3, critic_steps=2
)
AMORTISER = AmortiserTraining(width=4, steps=6, batch=8)
DECODER = DecoderTraining(width=8, epochs=3, batch=8)
GENERAL = GeneralTraining(widths=NARROW, outputs=3, epochs=3, batch=8)
ADVERSARIAL = AdversarialLearning(epochs=3, batch=8, width=4)
HEAD = HeadTraining(epochs=3, batch=8)
JUDGE = JudgeTraining(18, NARROW, epochs=3, batch=8)
STYLE = StyleTraining(4, (4, 4, 4, 3, 2), 4, 8, warm_epochs=2, steps=2, measured=50)
PEOPLE = PeopleTraining(4, (4, 5, 6), epochs=3, batch=8)
SURROGATE = SurrogateTraining((4, 5, 6), epochs=3, batch=8)
TARGET = TargetTraining(widths=NARROW, epochs=3, batch=8)
Fit = Callable[..., nn.Module]
Given = dict[str, Faces | nn.Module]
FITS: dict[str, Fit] = {  # each recipe as a function of what it may rest on, seed and folder
    "target": lambda faces, target, prior, **k: TARGET.fit(faces, **k),
    "general": lambda faces, target, prior, **k: GENERAL.fit(faces, **k),
    "head": lambda faces, target, prior, **k: HEAD.fit(target, faces, **k),
    "adversarial": lambda faces, target, prior, **k: ADVERSARIAL.play(target, faces, **k).target,
    "prior": lambda faces, target, prior, **k: PRIOR.fit(faces, **k),
    "style": lambda faces, target, prior, **k: STYLE.fit(faces, **k),
    "judge": lambda faces, target, prior, **k: JUDGE.fit(faces, **k),
    "amortiser": lambda faces, target, prior, **k: AMORTISER.fit(target.encode, prior, **k),
    "decoder": lambda faces, target, prior, **k: DECODER.fit(target.encode, faces, **k),
    "critic": lambda faces, target, prior, **k: CriticTraining(4, 6, 8).fit(prior, faces, **k),
    "people": lambda faces, target, prior, **k: PEOPLE.fit(target.encode, faces, **k),
    "surrogate": lambda faces, target, prior, **k: SURROGATE.fit(target.encode, faces, **k),
}
RESTS_ON = [
    *(("target", "faces"), ("prior", "faces"), ("style", "faces"), ("judge", "faces")),
    *(("amortiser", "target"), ("amortiser", "prior"), ("critic", "faces"), ("critic", "prior")),
    *(("decoder", "faces"), ("decoder", "target")),
    *(("general", "faces"), ("head", "faces"), ("head", "target")),
    *(("adversarial", "faces"), ("adversarial", "target")),
    *(("people", "faces"), ("people", "target")),
    *(("surrogate", "faces"), ("surrogate", "target")),
]


@pytest.fixture(scope="module")
def target() -> ResNet:
    return a_target(0)


def a_target(seed: int) -> ResNet:
    torch.manual_seed(seed)
    return frozen(ResNet(2, 18, NARROW))


def a_prior(seed: int) -> Prior:
    torch.manual_seed(seed)
    return frozen(Prior(4, 4, 64))


@pytest.fixture(scope="module")
def given(faces, target) -> Given:
    """What the trainings here rest on."""
    return {"faces": faces, "target": target, "prior": a_prior(1)}


@pytest.fixture(scope="module")
def others(faces) -> Given:
    """The same with one pixel or all weights changed."""
    pixels = np.array(faces.pixels)
    pixels[0, 0, 0, 0] ^= 1
    return {"faces": replace(faces, pixels=pixels), "target": a_target(2), "prior": a_prior(3)}


@pytest.fixture(params=FITS)
def fit(request, given) -> Fit:
    """Each recipe as a function of seed and folder."""
    return partial(FITS[request.param], **given)


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
@pytest.mark.parametrize(("recipe", "other"), RESTS_ON)
def test_other_faces_and_networks_are_refused_in_the_same_folder(
    recipe, other, given, others, tmp_path
):
    first = FITS[recipe](**given, folder=tmp_path)
    with pytest.raises(SettingError, match=f"not from the same {other}. Give another folder"):
        FITS[recipe](**{**given, other: others[other]}, folder=tmp_path)
    assert same(FITS[recipe](**given, folder=tmp_path), first)


def test_another_start_of_the_judge_is_refused_in_the_same_folder(faces, target, tmp_path):
    JUDGE.fit(faces, folder=tmp_path, start=target.state_dict())
    with pytest.raises(SettingError, match="not from the same start"):
        JUDGE.fit(faces, folder=tmp_path, start=a_target(2).state_dict())
    JUDGE.fit(faces, folder=tmp_path, start=target.state_dict())


def test_a_network_is_known_by_what_it_was_before_folding(faces, target, tmp_path):
    """Folded on another device it has other last bits, and is the same network."""
    folded = fold_batch_norms(target)
    DECODER.fit(folded.encode, faces, folder=tmp_path, unfolded={"target": target})
    folded.conv1.weight.data *= 1 + 1e-6
    DECODER.fit(folded.encode, faces, folder=tmp_path, unfolded={"target": target})
    with pytest.raises(SettingError, match="not from the same target"):
        DECODER.fit(folded.encode, faces, folder=tmp_path)


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
    still = JudgeTraining(18, NARROW, epochs=1, batch=8, rate=1e-20)
    judge = still.fit(faces, start=start)
    assert torch.equal(judge.body.conv1.weight, start["conv1.weight"])
    assert judge.body.fc.out_features == 4  # people, whatever their numbers


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (ResNet(2, 18, (4, 6, 8, 12)), r"layer4.0.bn1.bias is \(12,\) there and \(10,\) here"),
        (ResNet(2, 50, NARROW), r"layer1.0.bn3.bias is \(16,\) there and missing here"),
        (Vgg16(2, 8, 1), r"bn1.bias is missing there and \(4,\) here"),
    ],
    ids=["widths", "depth", "VGG-16"],
)
def test_a_judge_starts_from_no_network_of_another_shape(faces, start, told):
    with pytest.raises(SettingError, match=f"no ResNet-18 of widths.*{told}.*Start from a ResNet"):
        JUDGE.fit(faces, start=start.state_dict())


@pytest.mark.parametrize("network", ["convolutional", "linear"])
def test_a_decoder_that_cannot_make_images_of_the_size_is_refused(target, network):
    pixels = np.zeros((4, 3, 50, 50), np.uint8)
    faces = Faces(pixels, np.arange(4), np.zeros((4, 0), np.float32))
    with pytest.raises(SettingError, match=r"images of (52|64) pixels .* not of 50"):
        DecoderTraining(network, width=4, epochs=1, batch=2).fit(target.encode, faces)


def test_few_faces_are_enough_for_a_sheet(faces, target, tmp_path):
    DecoderTraining(width=4, epochs=1, batch=2).fit(
        target.encode, faces.take([0, 1, 2]), folder=tmp_path
    )
    assert "samples-000001.png" in files(tmp_path)


BAD: dict[type, dict[str, tuple[object, ...]]] = {
    TargetTraining: {
        "widths": ((0, 4, 4, 4), (4, 4, 4, -1)),
        "epochs": (0, -1),
        "batch": (0, 1),
        "rate": (0.0, -1.0, math.nan, math.inf),
        "decay": (-1.0, math.nan),
    },
    PriorTraining: {
        "latent_dim": (0,),
        "width": (0,),
        "critic_width": (0,),
        "critic_steps": (0,),
        "batch": (0, 1),
        "warm_epochs": (-1,),
        "steps": (-1,),
        "warm_rate": (0.0, math.nan),
        "rate": (0.0, math.nan),
        "divergence": (-1.0, math.nan),
        "penalty": (-1.0, math.nan),
        "anchor": (-1.0, math.inf),
    },
    StyleTraining: {
        "latent_dim": (0,),
        "widths": ((4, 0, 4, 4, 4),),
        "critic_width": (0,),
        "batch": (0, 1),
        "warm_epochs": (-1,),
        "steps": (-1,),
        "warm_rate": (0.0, math.nan),
        "rate": (0.0, math.nan),
        "divergence": (-1.0, math.nan),
        "slope": (-1.0, math.nan),
        "anchor": (-1.0, math.inf),
        "measured": (0, 1),
    },
    CriticTraining: {
        "width": (0,),
        "steps": (0,),
        "batch": (0,),
        "rate": (-1.0, math.nan),
        "penalty": (math.nan,),
    },
    AmortiserTraining: {"width": (0,), "steps": (0,), "batch": (1,), "rate": (math.nan,)},
    DecoderTraining: {"width": (0,), "epochs": (0,), "batch": (0,), "rate": (math.nan,)},
    SurrogateTraining: {
        "widths": ((4, 0, 4),),
        "epochs": (0,),
        "batch": (0,),
        "rate": (math.nan,),
        "decay": (math.nan,),
    },
    PeopleTraining: {
        "least": (0,),
        "widths": ((4, 0, 4),),
        "epochs": (0,),
        "batch": (0, 1),
        "rate": (math.nan,),
        "decay": (-1.0,),
    },
    AdversarialLearning: {
        "weight": (-0.1, math.nan),
        "rounds": (0,),
        "width": (0,),
        "epochs": (0,),
        "batch": (0, 1),
        "rate": (math.nan,),
        "attack_rate": (0.0,),
        "decay": (-1.0,),
    },
    JudgeTraining: {
        "widths": ((4, 4, 0, 4),),
        "epochs": (0,),
        "batch": (0,),
        "rate": (math.nan,),
        "decay": (-1.0,),
        "smoothing": (-0.1, 1.1, math.nan),
    },
}


@pytest.mark.parametrize(
    ("recipe", "name", "value"),
    [
        pytest.param(recipe, name, value, id=f"{recipe.__name__}-{name}={value}")
        for recipe, fields in BAD.items()
        for name, values in fields.items()
        for value in values
    ],
)
def test_a_setting_that_cannot_be_is_named(recipe, name, value):
    with pytest.raises(SettingError, match=rf"^{name}=.* of {recipe.__name__}: give"):
        recipe(**{name: value})


@pytest.mark.parametrize(
    ("recipe", "choices"),
    [(TargetTraining, "resnet18, .*, vgg16"), (DecoderTraining, ".*, linear")],
)
def test_a_network_of_no_known_name_is_refused(recipe, choices):
    made = recipe()
    object.__setattr__(made, "network", "foo")  # past the types, which only tests check
    with pytest.raises(SettingError, match=f"network='foo' of .*: choose one of {choices}"):
        made.__post_init__()


def test_a_prior_of_no_training_is_refused():
    with pytest.raises(SettingError, match="train nothing"):
        PriorTraining(warm_epochs=0, steps=0)


def test_mixed_precision_trains_too(faces):
    recipe = TargetTraining(widths=NARROW, epochs=1, batch=8, bfloat16=True)
    logits = recipe.fit(faces)(faces.images())
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_a_head_leaves_its_encoder_as_it_is(faces, target):
    model = HEAD.fit(target, faces)
    images = faces.images()
    assert torch.equal(model.encode(images), target.encode(images))
    assert not torch.equal(model.fc.weight, target.fc.weight)
    with pytest.raises(SettingError, match="encoder is that of a Vgg16"):
        HEAD.fit(Vgg16(2, 4, 1), faces)


def test_views_that_are_told_apart_cost_less():
    """By hand: of two photographs, cosines 1 within and 0 between, at temperature 1."""
    outputs = torch.eye(2).repeat(2, 1) * torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    assert apart(outputs, 1.0).item() == pytest.approx(math.log(math.e + 2) - 1)
    assert apart(outputs.roll(1, 0)[[0, 1, 3, 2]], 1.0) > apart(outputs, 1.0)


def test_views_are_photographs_of_the_same_shape_and_differ(faces):
    images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    one, other = (view(images, torch.Generator().manual_seed(i), 0.2) for i in range(2))
    assert one.shape == other.shape == images.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert ((one - other).abs().mean(dim=(1, 2, 3)) > 0.01).all()
    with pytest.raises(SettingError, match="smallest=2 of GeneralTraining"):
        GeneralTraining(smallest=2)
    with pytest.raises(DataError, match="fewer than batch=8"):
        GENERAL.fit(faces.take(np.arange(4)))
