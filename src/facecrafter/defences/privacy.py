"""L_p: how far the attacker's faces G(z*) are from average faces G(z_r) (Eq. 5).

Two ways to the same earth mover's distance: its dual by a critic, as the paper does (Eq. 8), or
its primal by an exact assignment of each face to one average face.
"""

import abc
import copy
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from facecrafter.defences.assignment import assign
from facecrafter.defences.base import Offline
from facecrafter.errors import DataError, SettingError
from facecrafter.models.critic import Critic
from facecrafter.randomness import child, normal
from facecrafter.training.penalty import gradient_penalty
from facecrafter.training.state import State
from facecrafter.types import Images, Scores


class AbstractDistance(abc.ABC):
    """A way to measure the distance of a batch of faces from average faces."""

    @abc.abstractmethod
    def begin(self, offline: Offline, faces: Images, rng: Generator) -> "AbstractMeasure":
        """For one batch; `faces` are what an attacker sees before anything is crafted."""


class AbstractMeasure(abc.ABC):
    """The distance for one batch, while it is being crafted."""

    @abc.abstractmethod
    def of(self, faces: Images) -> Scores:
        """L_p of each face, differentiable in the faces; smaller is more average."""

    def state(self) -> State:
        """All that `of` changes; nothing, unless a subclass says so."""
        return State()


@dataclass(frozen=True)
class CriticDistance(AbstractDistance):
    """The dual: a critic is trained against the batch at every step (Alg. 1, lines 4 to 9)."""

    steps: int = 10  # n_critic; authors' code
    minibatch: int = 32  # m; authors' code
    rate: float = 5e-4  # Adam; authors' code
    penalty: float = 20.0  # weight of the gradient penalty; authors' code (paper: 1)
    steep: float = 40.0  # the same while the penalty exceeds 1; authors' code
    width: int = 64  # of a fresh critic; paper, Table XI
    trained: bool = False  # start from the offline critic instead of a fresh one; ours

    def __post_init__(self) -> None:
        if not (self.steps >= 1 and self.minibatch >= 2 and self.rate > 0 and self.penalty >= 0):
            raise SettingError(f"{self}: give steps >= 1, minibatch >= 2, rate > 0, penalty >= 0.")

    def begin(self, offline: Offline, faces: Images, rng: Generator) -> AbstractMeasure:
        if len(faces) < 2:
            raise DataError(
                f"a batch of {len(faces)} face is too small for a critic: it compares two sets "
                "of faces. Give 2 or more, or use AssignedDistance."
            )
        return _CriticMeasure(self, offline, faces, rng)


class _CriticMeasure(AbstractMeasure):
    def __init__(
        self, recipe: CriticDistance, offline: Offline, faces: Images, rng: Generator
    ) -> None:
        self.recipe, self.rng = recipe, child(rng, "critic")
        self.critic = self._critic(offline).to(faces.device)
        self.adam = torch.optim.Adam(self.critic.parameters(), recipe.rate)
        self.average = average_faces(offline, len(faces), self.rng, faces)  # z_avg, line 1

    def of(self, faces: Images) -> Scores:
        for _ in range(self.recipe.steps):  # line 4
            self._train(faces.detach())
        self.critic.requires_grad_(False)
        scores = -self.critic(faces)  # line 10
        self.critic.requires_grad_(True)
        return scores

    def state(self) -> State:
        return State({"critic": self.critic}, {"adam": self.adam}, {}, {"rng": self.rng})

    def _train(self, faces: Images) -> None:
        mine, theirs = self._some(faces), self._some(self.average)  # lines 5, 6
        penalty = gradient_penalty(self.critic, mine, theirs, self.rng)
        weight = self.recipe.steep if penalty.item() > 1 else self.recipe.penalty
        # Line 7. D is high on average faces, so that line 10 raises it on the crafted ones.
        loss = self.critic(mine).mean() - self.critic(theirs).mean() + weight * penalty
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()  # line 8

    def _some(self, faces: Tensor) -> Tensor:
        count = min(self.recipe.minibatch, len(faces))
        return faces[torch.randperm(len(faces), generator=self.rng)[:count].to(faces.device)]

    def _critic(self, offline: Offline) -> Critic:
        if not self.recipe.trained:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(child(self.rng, "weights").initial_seed())
                return Critic(self.recipe.width)
        if offline.critic is None:
            raise SettingError("trained=True needs a critic among what was prepared offline.")
        return copy.deepcopy(offline.critic).requires_grad_()


@dataclass(frozen=True)
class AssignedDistance(AbstractDistance):
    """The primal: each face is assigned one average face so that the sum of distances is least.

    Exact where the critic is an estimate, needs no training, and is what epsilon-PII measures. The
    assignment is made once, between blurred faces: it decides who becomes whom. L_p is then the
    mean square over pixels by which a face differs from its average face.
    """

    blur: int = 4  # pixels averaged to one for the assignment; ours
    choice: int = 1  # average faces drawn for each face of the batch; ours

    def __post_init__(self) -> None:
        if not (self.blur >= 1 and self.choice >= 1):
            raise SettingError(f"{self}: give blur and choice of 1 or more.")

    def begin(self, offline: Offline, faces: Images, rng: Generator) -> AbstractMeasure:
        side = min(faces.shape[2:])
        if self.blur > side:
            raise SettingError(
                f"blur={self.blur} of AssignedDistance is more than the {side} pixels of a face."
            )
        average = average_faces(offline, len(faces) * self.choice, child(rng, "average"), faces)
        mine, theirs = (avg_pool2d(some, self.blur) for some in (faces, average))
        return _AssignedMeasure(average[assign(mine, theirs)])


@dataclass(frozen=True, eq=False)
class _AssignedMeasure(AbstractMeasure):
    assigned: Images  # the average face that each face becomes

    def of(self, faces: Images) -> Scores:
        return (faces - self.assigned).flatten(1).square().mean(dim=1)


def average_faces(offline: Offline, count: int, rng: Generator, like: Tensor) -> Images:
    """G(z_r): faces that the prior draws from nothing, so they are nobody's."""
    latents = normal(count, offline.prior.latent_dim, rng=rng, like=like)
    with torch.no_grad():
        return torch.cat([offline.prior(piece) for piece in latents.split(256)])
