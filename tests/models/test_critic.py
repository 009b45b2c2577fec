"""The critic of Table XI, layer by layer."""

import torch
from torch import nn

from facecrafter.models.critic import Critic


def test_layers_are_those_of_table_xi():
    with torch.device("meta"):
        critic = Critic()
    found = [
        (tuple(m.weight.shape), m.stride[0]) for m in critic.modules() if isinstance(m, nn.Conv2d)
    ]
    assert found == [
        ((64, 3, 5, 5), 2),
        ((128, 64, 5, 5), 2),
        ((256, 128, 5, 5), 2),
        ((512, 256, 5, 5), 2),
        ((1, 512, 4, 4), 1),
    ]


def test_inner_layers_are_normalised_per_image():
    torch.manual_seed(0)
    critic, images = Critic(4), torch.rand(3, 3, 64, 64)
    norms = [m for m in critic.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert [(norm.num_features, norm.affine) for norm in norms] == [
        (8, True),
        (16, True),
        (32, True),
    ]
    together = critic(images)
    alone = torch.cat([critic(images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)  # WGAN-GP needs scores that do not share a batch


def test_one_unbounded_score_for_each_image():
    with torch.device("meta"):
        critic = Critic(4)
        for size in (64, 112, 128):
            assert critic(torch.rand(5, 3, size, size)).shape == (5,)
    assert not any(isinstance(m, nn.Sigmoid) for m in critic.modules())
