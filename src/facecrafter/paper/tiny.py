"""A scene of painted faces and untrained networks: every step of a measurement in seconds."""

import torch

from facecrafter.bundle import Bundle
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.decoder import Decoder
from facecrafter.models.judge import Judge
from facecrafter.models.part import frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet
from facecrafter.models.surrogate import Surrogate
from facecrafter.paper.scenes import Scene, judge_labels
from facecrafter.randomness import stream

PEOPLE = 3  # private ones
WIDTHS = (8, 8, 8, 8)


def tiny(seed: int = 0, decoders: int = 2) -> Scene:
    """Six people, three of them private, nine test photographs of 64 pixels in two batches."""
    splits = synthetic_splits(seed, people=6, photographs=9, private_people=PEOPLE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "tiny weights").initial_seed())
        target = frozen(ResNet(len(splits.public.attribute_names), 18, WIDTHS))
        bundle = Bundle(
            {"size": 64},
            f"untrained {seed}",
            target=target,
            prior=frozen(Prior(6, 2)),
            amortiser=frozen(Amortiser(8, 6, 4)),
            judge=frozen(Judge(PEOPLE, 18, WIDTHS)),
            critic=frozen(Critic(4)),
            surrogate=frozen(Surrogate(8, len(splits.public.attribute_names), (4, 4))),
        )
        shadows = tuple(frozen(Decoder(8, 16, 64, 24)) for _ in range(decoders))
    labels = judge_labels(splits.private_train, splits.private_test)
    return Scene(
        "tiny",
        bundle,
        splits.private_test,
        labels,
        shadows,
        batch=5,
        minimum=1,
        public=splits.public,
        private_train=splits.private_train,
    )
