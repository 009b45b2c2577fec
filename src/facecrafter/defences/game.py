"""Adversarial games: a defender's networks trained against an attacker's (Definition 7, Table III).

The loop is written once; a rival is its players and their losses. Such a defence changes Enc and
what comes behind it, so the cloud must deploy both, and it learns from private photographs
(X_train), which Crafter never sees. `play` trains; what a device then does is to encode.
"""

import abc
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline
from facecrafter.defences.plain import Plain
from facecrafter.errors import SettingError
from facecrafter.models.decoder import Decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.labels import labelled
from facecrafter.training.loop import Job, Losses, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_counts, require_not_negative, require_positive
from facecrafter.types import Features, Images


@dataclass(frozen=True, eq=False)
class Batch:
    """What both players see in a step."""

    images: Images
    labels: Tensor  # (images, questions), 0 to 1: what the cloud is to answer


class AbstractPlayers(abc.ABC):
    """The networks of both, and what each wants to be small; each loss is a mean over images."""

    target: AbstractSplitModel  # what the defender deploys: Enc, and f behind it

    @abc.abstractmethod
    def attackers(self) -> Mapping[str, nn.Module]:
        """The attacker's networks, by the names that a checkpoint gives them."""

    @property
    def inverse(self) -> Decoder | None:
        """The attacker's decoder, where the game has one: a basic attacker's, when it is over."""
        return None

    def release(self, images: Images) -> Features:
        """What leaves the device."""
        return self.target.encode(images)

    @abc.abstractmethod
    def privacy(self, features: Features, batch: Batch) -> Tensor:
        """L_privacy, whose slopes reach the defender through the features."""

    @abc.abstractmethod
    def utility(self, features: Features, batch: Batch) -> Tensor:
        """L_utility."""

    @abc.abstractmethod
    def attack(self, features: Features, batch: Batch) -> Tensor:
        """L_attacker; no slope reaches the defender."""


Players = TypeVar("Players", bound=AbstractPlayers)


@dataclass(frozen=True)
class Deployed(Offline):
    """What a device is handed where Enc was trained to hide: the defence is in Enc itself."""

    game: "AbstractGame[AbstractPlayers] | None" = None  # that `encode` came out of


@dataclass(frozen=True)
class AbstractGame(AbstractDefence, Generic[Players]):
    """Hyperparameters of a rival of the family. Raises `SettingError`."""

    weight: float = 0.5  # lambda, 0 to 1: of L_privacy, the rest of L_utility; paper: 0.1 to 0.8
    rounds: int = 1  # steps of the attacker before each of the defender; ours
    epochs: int = 20  # ours
    batch: int = 32  # ours
    rate: float = 5e-4  # of the defender, AdamW, after a tenth of the steps; ours
    attack_rate: float = 1e-3  # of the attacker, AdamW, always the same; ours
    decay: float = 5e-2  # AdamW, of the defender; ours
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_counts(self, "rounds", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate", "attack_rate")
        require_not_negative(self, "decay", "weight")
        if self.weight > 1:
            raise SettingError(
                f"weight={self.weight:g} of {type(self).__name__}: lambda shares between privacy "
                "and utility, so give a number from 0 to 1."
            )

    @abc.abstractmethod
    def players(self, target: AbstractSplitModel, faces: Faces) -> Players:
        """Fresh players, the defender's starting as `target`; drawn from torch's generator."""

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        """Raises `SettingError` for an Enc of which nobody says that it came out of this game."""
        if not isinstance(offline, Deployed) or offline.game != self:
            raise SettingError(
                f"{type(self).__name__} is a defence only where the cloud deploys the networks "
                "that its game trained: play it on private photographs (`play`), and hand the "
                "device a Deployed with its Enc. Another Enc would send plain features."
            )
        return Plain().fit(offline, rng)

    def play(
        self,
        target: AbstractSplitModel,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Players:
        """Play; both sides come back in evaluation mode.

        `target`: what the defender starts from; it is left as it is. `faces`: X_train, with
        attributes, private photographs of the people that are to be protected. Raises `DataError`.
        """
        faces, labels = labelled(faces, "the defender keeps what they ask")
        place = torch.device(device)
        torch.manual_seed(stream(seed, "game weights").initial_seed())
        players = self.players(deepcopy(target).to(place).requires_grad_(), faces)
        sides = {"model": players.target, **players.attackers()}
        for side in sides.values():
            side.to(place).train()
        defender = AdamW(players.target.parameters(), self.rate, weight_decay=self.decay)
        attacker = AdamW(
            [one for side in players.attackers().values() for one in side.parameters()],
            self.attack_rate,
        )
        steps = len(faces) // self.batch * self.epochs

        def drawn(i: int) -> Batch:
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "game", e))
            images = batch_of(faces, chosen, place)
            view = varied(images, stream(seed, "game view", i), shift=2)
            return Batch(view, labels[chosen].to(place))

        def step(i: int) -> Losses:
            # It does not fall: who slows down is caught up with before the game is over.
            set_rate(defender, self.rate * min(1.0, 10 * (i + 1) / steps))
            batch = drawn(i)
            seen = torch.zeros(())
            for _ in range(self.rounds):
                with mixed(place, self.bfloat16):
                    seen = players.attack(players.release(batch.images).detach(), batch)
                _descend(attacker, seen)
            with mixed(place, self.bfloat16):
                features = players.release(batch.images)
                lost, kept = players.utility(features, batch), players.privacy(features, batch)
            _descend(defender, (1 - self.weight) * lost + self.weight * kept)
            return {"attacker": seen.item(), "utility": lost.item(), "privacy": kept.item()}

        recipe = f"{self} seed={seed} faces={len(faces)}"
        optimisers = {"defender": defender, "attacker": attacker}
        rests_on = {"faces": faces, "target": target}
        run(Job(type(self).__name__, steps, step, sides, optimisers, recipe, rests_on), folder)
        for side in sides.values():
            side.eval()
        return players


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of one side; slopes that the loss has in the other's networks are dropped."""
    mine = [one for group in optimiser.param_groups for one in group["params"]]
    for one, slope in zip(mine, torch.autograd.grad(loss, mine), strict=True):
        one.grad = slope
    optimiser.step()
