"""The judge: a ResNet-152 by default, whose penultimate layer FSIM compares."""

import torch

from facecrafter.models.judge import Judge


def test_the_paper_judges_with_resnet_152():
    with torch.device("meta"):
        judge = Judge(1000)
        assert sum(p.numel() for p in judge.parameters()) == 60_192_808  # torchvision's
        assert judge.embed(torch.rand(2, 3, 64, 64)).shape == (2, 2048)
        assert judge(torch.rand(2, 3, 64, 64)).shape == (2, 1000)


def test_the_answer_is_made_from_the_embedding():
    torch.manual_seed(0)
    judge, images = Judge(5, 18, (4, 6, 8, 10)).eval(), torch.rand(2, 3, 32, 32)
    embedding = judge.embed(images)
    assert embedding.shape == (2, 10)
    assert torch.equal(judge.body.fc(embedding), judge(images))
