"""Folding batch norms changes nothing but the speed."""

import pytest
import torch
from torch import Tensor, nn

from facecrafter.models.amortiser import Amortiser
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.judge import Judge
from facecrafter.models.part import AbstractPart, frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet

NARROW = (4, 6, 8, 10)

# network, shape of what it takes, batch norms that stay
CASES = [
    (lambda: ResNet(3, 18, NARROW), (3, 3, 32, 32), 0),
    (lambda: ResNet(3, 50, NARROW), (3, 3, 32, 32), 0),
    (lambda: Judge(3, 18, NARROW), (3, 3, 32, 32), 0),
    (lambda: Prior(6, 4, 32), (3, 6), 0),
    (lambda: Prior(6, 4, 32, 4), (3, 6), 0),
    (lambda: Amortiser(4, 6, 4), (3, 4, 16, 16), 0),
    (lambda: LinearDecoder(2, 4, 32), (3, 2, 4, 4), 0),
    (lambda: Decoder(4, 8, 32, 8), (3, 4, 8, 8), 2),  # one before each residual block's first layer
]


def used(network: AbstractPart, shape: tuple[int, ...]) -> AbstractPart:
    """The network with batch statistics and scales that differ from those of a fresh one."""
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                assert value is not None
                value.data = torch.rand(value.shape, generator=rng) + 0.5
    return frozen(network)


def answer_and_slope(network: nn.Module, given: Tensor) -> tuple[Tensor, Tensor]:
    given = given.clone().requires_grad_()
    answer = network(given)
    (slope,) = torch.autograd.grad(answer.square().sum(), given)
    return answer.detach(), slope


@pytest.mark.parametrize(("make", "shape", "left"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_answers_and_slopes_stay(make, shape, left, dtype, tolerance):
    torch.manual_seed(0)
    network = used(make(), shape).to(dtype)
    folded = fold_batch_norms(network)
    given = torch.rand(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    for before, after in zip(
        answer_and_slope(network, given), answer_and_slope(folded, given), strict=True
    ):
        assert (after - before).abs().max() <= tolerance * before.abs().max()
    norms = [m for m in folded.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) == left


def test_the_original_is_not_touched():
    network = used(ResNet(3, 18, NARROW), (1, 3, 32, 32))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fold_batch_norms(network)
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_norms_in_training_stay():
    folded = fold_batch_norms(Amortiser(4, 6, 4).train())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == 4


def test_a_frozen_network_takes_no_gradient():
    network = frozen(Prior(6, 4, 32))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(p.requires_grad for p in fold_batch_norms(network).parameters())
