"""Target networks: the cuts of Table X, torchvision's names and numbers of parameters."""

from math import prod

import pytest
import torch
from torch import nn

from facecrafter.errors import SettingError
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16

NARROW = (4, 6, 8, 10)
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def on_meta(make) -> AbstractSplitModel:
    """The network without memory for its weights: shapes and names are all that is asked."""
    with torch.device("meta"):
        return make()


def resnet_keys(blocks: tuple[int, ...], convolutions: int) -> list[str]:
    """torchvision's names of a ResNet's tensors, written from its naming scheme."""
    keys = ["conv1.weight", *(f"bn1.{name}" for name in BATCH_NORM)]
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            prefix = f"layer{stage}.{block}."
            for i in range(1, convolutions + 1):
                keys.append(f"{prefix}conv{i}.weight")
                keys += [f"{prefix}bn{i}.{name}" for name in BATCH_NORM]
            # a shortcut that changes shape opens each stage but the first of the shallow nets
            if block == 0 and (stage > 1 or convolutions == 3):
                keys.append(f"{prefix}downsample.0.weight")
                keys += [f"{prefix}downsample.1.{name}" for name in BATCH_NORM]
    return [*keys, "fc.weight", "fc.bias"]


VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG16_KEYS = [
    f"{place}.{name}"
    for place in (
        *(f"features.{i}" for i in VGG16_CONVOLUTIONS),
        *(f"classifier.{i}" for i in (0, 3, 6)),
    )
    for name in ("weight", "bias")
]


@pytest.mark.parametrize(
    ("make", "size", "shape"),
    [
        (lambda: ResNet(40), 64, (64, 16, 16)),
        (lambda: ResNet(40), 128, (64, 32, 32)),
        (lambda: Vgg16(40), 64, (128, 16, 16)),
        (lambda: Vgg16(40), 128, (128, 32, 32)),
        (lambda: ResNet(5, 50), 112, (256, 28, 28)),
        (lambda: ResNet(5, 50), 64, (256, 16, 16)),
    ],
)
def test_features_have_the_shape_of_table_x(make, size, shape):
    model = on_meta(make)
    features = model.encode(torch.rand(2, 3, size, size, device="meta"))
    assert features.shape == (2, *shape)


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (lambda: ResNet(1000), resnet_keys((2, 2, 2, 2), 2)),
        (lambda: ResNet(1000, 50), resnet_keys((3, 4, 6, 3), 3)),
        (lambda: ResNet(1000, 152), resnet_keys((3, 8, 36, 3), 3)),
        (lambda: Vgg16(1000), VGG16_KEYS),
    ],
)
def test_tensors_have_the_names_of_torchvision(make, keys):
    assert sorted(on_meta(make).state_dict()) == sorted(keys)


@pytest.mark.parametrize(
    ("make", "tensors", "numbers"),  # as torchvision documents them, for ImageNet's 1,000 classes
    [
        (lambda: ResNet(1000), 62, 11_689_512),
        (lambda: ResNet(1000, 50), 161, 25_557_032),
        (lambda: ResNet(1000, 152), 467, 60_192_808),
        (lambda: Vgg16(1000), 32, 138_357_544),
    ],
)
def test_parameters_are_as_many_as_in_torchvision(make, tensors, numbers):
    shapes = [parameter.shape for parameter in on_meta(make).parameters()]
    assert len(shapes) == tensors
    assert sum(prod(shape) for shape in shapes) == numbers


def test_tensors_have_the_shapes_of_torchvision():
    shapes = {
        key: tuple(value.shape) for key, value in on_meta(lambda: ResNet(7)).state_dict().items()
    }
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.running_var"] == (128,)
    assert shapes["fc.weight"] == (7, 512)
    deep = on_meta(lambda: ResNet(7, 50))
    assert deep.layer2[0].conv2.stride == (2, 2)  # torchvision's ResNet v1.5
    assert deep.layer2[0].conv1.stride == (1, 1)


@pytest.mark.parametrize(
    "make", [lambda: ResNet(3, 18, NARROW), lambda: ResNet(3, 50, NARROW), lambda: Vgg16(3, 8, 1)]
)
def test_the_two_parts_make_the_whole(make):
    torch.manual_seed(0)
    model = make().eval()
    images = torch.rand(2, 3, 32, 32)
    features = model.encode(images)
    assert torch.equal(model.head(features), model(images))
    last = model.fc if isinstance(model, ResNet) else model.classifier[-1]
    assert torch.equal(last(model.embed(features)), model(images))


def test_features_depend_on_the_device_part_only():
    torch.manual_seed(0)
    model, images = ResNet(3, 18, NARROW).eval(), torch.rand(2, 3, 32, 32)
    before = model.encode(images)
    for part in (model.layer2, model.layer3, model.layer4, model.fc):
        for parameter in part.parameters():
            nn.init.zeros_(parameter)
    assert torch.equal(model.encode(images), before)
    assert model(images).eq(0).all()


def test_other_depths_are_refused():
    with pytest.raises(SettingError, match=r"depth=34: choose one of \[18, 50, 152\]"):
        ResNet(3, 34)
