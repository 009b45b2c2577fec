"""The digests by which a checkpoint knows faces and networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from facecrafter.data.faces import Faces, matched
from facecrafter.models.split import ResNet
from facecrafter.training.basis import digest

NARROW = (4, 6, 8, 10)


def test_the_same_faces_have_the_same_digest(faces):
    twice = faces.take([0, 1, *range(16)]).take(range(2, 18))  # a view of a view
    copied = replace(faces, pixels=np.array(faces.pixels), names=tuple("abcdefghijklmnop"))
    assert digest(faces) == digest(twice) == digest(copied)
    assert len(digest(faces)) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda faces: replace(faces, pixels=np.array(faces.pixels) ^ 1),
        lambda faces: replace(faces, identities=faces.identities[::-1]),
        lambda faces: replace(faces, attributes=1 - faces.attributes),
        lambda faces: replace(faces, attribute_names=("bald", "smiling")),
        lambda faces: faces.take(np.arange(16)[::-1]),
        lambda faces: faces.take(range(15)),
        lambda faces: faces.only(("bald",)),
        lambda faces: matched(faces, faces.take([0])),  # normalised, as without --raw
        lambda faces: Faces(
            np.array(faces.pixels).reshape(16, 3, 32, 128),
            faces.identities,
            faces.attributes,
            faces.attribute_names,
        ),
    ],
    ids=[
        "pixels",
        "identities",
        "attributes",
        "names",
        "order",
        "count",
        "columns",
        "colours",
        "shape",
    ],
)
def test_other_faces_have_another_digest(faces, change):
    assert digest(change(faces)) != digest(faces)


def test_a_network_its_method_and_its_weights_have_one_digest():
    network = ResNet(2, 18, NARROW)
    assert digest(network) == digest(network.encode) == digest(network.state_dict())
    before = digest(network)
    network.layer4[0].bn1.running_mean[0] += 1
    assert digest(network) != before


def test_how_weights_lie_in_memory_does_not_matter():
    network = nn.Conv2d(3, 4, 3)
    before = digest(network)
    assert digest(network.to(memory_format=torch.channels_last)) == before


def test_of_other_functions_nothing_is_known():
    assert digest(lambda images: images) == digest(torch.relu) == ""
