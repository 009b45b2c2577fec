"""A1: an attacker's network goes on learning, on what the defence releases (Eqs. 35 and 36)."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facecrafter.errors import DataError
from facecrafter.randomness import stream
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.pairs import Pairs
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_choice, require_counts, require_positive
from facecrafter.types import Images

Lost = Callable[[Tensor, Images], Tensor]  # what a network made, and the views: to one number


def squared_error(made: Tensor, images: Images) -> Tensor:
    """Of pixels (Eqs. 35 and 36)."""
    return ((made - images) ** 2).mean()


@dataclass(frozen=True)
class Continuation:
    """Train a decoder on (F*, X), or a prior on (z*(F*), X), in legs: after each it can be tried.

    Each leg warms up and cools down, so that it ends settled.
    """

    epochs: int = 10  # of a leg; ours (paper, App. G: 70 in all)
    legs: int = 1  # ours
    batch: int = 64  # ours
    rate: float = 1e-3  # at the peak of a leg; paper, App. G
    optimiser: Literal["Adam", "RMSProp"] = "Adam"  # paper, App. G: Adam for Dec, RMSProp for G
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_choice(self, "optimiser", "Adam", "RMSProp")
        require_counts(self, "epochs", "legs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")

    def run(
        self,
        network: nn.Module,
        pairs: Pairs,
        inputs: Tensor | None = None,
        seed: int = 0,
        folder: Path | None = None,
        lost: Lost = squared_error,
    ) -> Iterator[nn.Module]:
        """A copy of the network after each leg, fixed until the next leg moves it on.

        inputs: (rounds, faces, ...), what the network reads in the place of the features. With a
        `folder`, one for each loss, a leg that was killed goes on where it was, and what is trained
        is not trained again. Raises `DataError` where inputs and pairs do not belong together.
        """
        reads = pairs.features if inputs is None else inputs
        if reads.shape[:2] != pairs.images.shape[:2]:
            raise DataError(
                f"inputs for {tuple(reads.shape[:2])} rounds and faces, pairs of "
                f"{tuple(pairs.images.shape[:2])}: give one for each."
            )
        network = copy.deepcopy(network)
        optimiser = self._optimiser(network)
        for leg in range(self.legs):
            job = self._leg(leg, network, optimiser, Pairs(pairs.images, reads), seed, lost)
            run(job, None if folder is None else folder / f"leg{leg}")
            yield network.eval().requires_grad_(False)

    def _optimiser(self, network: nn.Module) -> Optimizer:
        kind = torch.optim.Adam if self.optimiser == "Adam" else torch.optim.RMSprop
        return kind(network.parameters(), self.rate)

    def _leg(
        self,
        leg: int,
        network: nn.Module,
        optimiser: Optimizer,
        pairs: Pairs,
        seed: int,
        lost: Lost,
    ) -> Job:
        steps = len(pairs) // self.batch * self.epochs
        device = next(network.parameters()).device
        per_epoch = max(len(pairs) // self.batch, 1)

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            number = leg * steps + i  # since the beginning
            rng = lambda epoch: stream(seed, "continued", epoch)  # noqa: E731
            chosen = shuffled(len(pairs), self.batch, number, rng)
            given, images = pairs.some(number // per_epoch, chosen, device)
            with mixed(device, self.bfloat16):
                made = network(given)
                loss = lost(made.float(), images)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"loss": loss.item()}

        network.train().requires_grad_()
        recipe = f"{self} seed={seed} leg={leg} pairs={pairs.rounds} x {len(pairs)}"
        rests_on = {"pairs": pairs.digest, "network": network.state_dict()}
        modules, optimisers = {"network": network}, {"optimiser": optimiser}
        title = f"leg {leg + 1} of {self.legs}"
        job = Job(title, steps, step, modules, optimisers, recipe, rests_on)
        _ = job.digests  # of the network as it comes, before it moves
        return job
