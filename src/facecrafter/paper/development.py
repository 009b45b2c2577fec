"""The development scenario: the cloud collects releases and trains f on them (III-A, Fig. 9).

Its task comes after the releases, so the device does not know it. f is scored on Enc(X) of public
faces, which nobody protects, as the paper has it (VI-B); and on releases of private test
photographs, ours: what f is asked once it serves the devices that sent it the rest.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.utility import mean_auc
from facecrafter.models.surrogate import Surrogate
from facecrafter.paper import exposure
from facecrafter.paper.exposure import Exposure, learn
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import PIECE, Scene
from facecrafter.randomness import permutation, stream
from facecrafter.training import checkpoints
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.settings import (
    require_choice,
    require_counts,
    require_not_negative,
    require_positive,
)
from facecrafter.types import Features, Logits

TaskName = Literal["attributes", "expression"]
TASKS: tuple[TaskName, ...] = ("attributes", "expression")
EXPRESSIONS = ("neutral", "happiness", "other")  # the last: any other word; few faces have each


@dataclass(frozen=True)
class Development:
    """What the cloud trains on releases, and how. Chosen on plain private train features.

    "attributes": all attributes of the faces, each yes or no, as in the paper (VI-B).
    "expression": one of `EXPRESSIONS`, ours; the paper names it as an example (III-A).
    """

    task: TaskName
    rounds: int = 2  # releases of each photograph, each of another view and protected afresh; ours
    networks: int = 3  # f trained from fresh weights so many times; ours
    widths: tuple[int, ...] = (96, 128, 192)  # of `Surrogate`; ours
    epochs: int = 20  # ours
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours

    def __post_init__(self) -> None:
        require_choice(self, "task", *TASKS)
        require_counts(self, "rounds", "networks", "widths", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")
        if not self.widths:
            raise SettingError("widths=() of Development: give one at least.")


@dataclass(frozen=True, eq=False)
class Truth:
    """What a task's answers are for some faces."""

    rows: NDArray[np.int64]  # of the faces whose answer is known
    values: Tensor  # (rows, questions), probability, 0 to 1
    names: tuple[str, ...]  # of the questions


@dataclass(frozen=True, eq=False)
class Collected:
    """Releases with their answers, as the cloud has them."""

    features: Tensor  # (rounds, photographs, channels, height, width), on the CPU
    values: Tensor  # (photographs, questions), 0 to 1
    earlier: str  # "15 of 17": batches taken over from earlier code; "" for none

    @cached_property
    def digest(self) -> dict[str, Tensor]:
        """SHA-256 of both, as a checkpoint can keep it."""
        found = checkpoints.digest({"features": self.features, "values": self.values})
        return {"collected": torch.tensor(list(bytes.fromhex(found)), dtype=torch.uint8)}


@dataclass(frozen=True, eq=False)
class Setting:
    """One task learnt from releases of one defence: what is measured, and where its work is kept.

    Raises `SettingError` for a scene without public faces.
    """

    defence: AbstractDefence
    development: Development
    seed: int
    scene: Scene
    private: Faces  # X_train, whose releases are collected
    work: Path
    spot_check: bool = False

    def __post_init__(self) -> None:
        if self.scene.public is None:
            raise SettingError(
                f"scene {self.scene.name!r} has no public faces, which f is scored on."
            )

    @cached_property
    def releases(self) -> exposure.Setting:
        """The same releases as an attacker learns names from, so that they are made once."""
        kind = Exposure("protected", rounds=self.development.rounds)
        where = self.work, self.spot_check
        return exposure.Setting(self.defence, kind, self.seed, self.scene, self.private, *where)

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        sides = (self.private, self.scene.private_test, self.public)
        answers = [hashlib.sha256(repr(side.emotions).encode()).hexdigest() for side in sides]
        told = (self.development, self.releases.key, self.scene.taught, answers)
        return hashlib.sha256(repr((code("paper/development"), *told)).encode()).hexdigest()

    @property
    def public(self) -> Faces:
        """X_pub."""
        assert self.scene.public is not None
        return self.scene.public

    def kept_network(self, number: int) -> Path:
        """Where an f is trained."""
        return self.work / self.key[:16] / f"f{number}"


def truth(task: TaskName, faces: Faces) -> Truth:
    """What a task's answers are for those of the faces where it is known.

    Raises `DataError` where it is known of none.
    """
    if task == "attributes":
        rows, names = faces.known(), faces.attribute_names
        values = np.ascontiguousarray(faces.attributes[rows])
    else:
        words, names = np.array(faces.emotions, dtype=str), EXPRESSIONS
        rows = np.flatnonzero(words != "")
        places = {word: place for place, word in enumerate(EXPRESSIONS)}
        values = np.eye(len(names), dtype=np.float32)[
            [places.get(word, len(names) - 1) for word in words[rows]]
        ]
    if not len(rows) or not names:
        raise DataError(
            f"no face has a label of the task {task!r}: it needs attributes.csv or emotions.csv "
            "beside the photographs."
        )
    return Truth(rows, torch.from_numpy(values), names)


def answer(setting: Setting) -> tuple[dict[str, Any], str]:
    """All measures of the networks f, and what was taken over from earlier code."""
    task, scene = setting.development.task, setting.scene
    collected, released = collect(setting), setting.releases.released()
    networks = [_train(setting, collected, i) for i in range(setting.development.networks)]
    public, private = truth(task, setting.public), truth(task, scene.private_test)
    sides = {
        "public": (public, _plain(scene, setting.public.take(public.rows))),
        "private": (private, released.value[private.rows].split(PIECE)),
    }
    outcome: dict[str, Any] = {}
    for side, (wanted, pieces) in sides.items():
        scores = _asked(networks, pieces, scene.device)
        outcome |= _scored(side, task, scores, wanted, scene.minimum)
        outcome[f"{side}_faces"] = len(wanted.rows)
    outcome["photographs"] = len(collected.values)
    told = {"release": released.earlier, "collected": collected.earlier}
    taken = [f"{number} batches of the {name}" for name, number in told.items() if number]
    return outcome, ", ".join(taken)


def collect(setting: Setting) -> Collected:
    """Releases of the private train photographs whose answers are known, and these.

    Raises `DataError` where nobody gives one of the answers of `EXPRESSIONS`.
    """
    task, private = setting.development.task, setting.private
    lesson, wanted = learn(setting.releases), truth(task, private)
    # the order in which `learn` has them protected
    order = permutation(len(private), stream(0, "exposed", setting.scene.name)).numpy()
    place = torch.from_numpy(np.argsort(order)[wanted.rows])
    if task == "expression" and not (wanted.values.sum(dim=0) > 0).all():
        raise DataError(
            f"of {', '.join(EXPRESSIONS)} one is on none of {len(wanted.rows)} photographs: f "
            "cannot learn it. Give more photographs."
        )
    return Collected(lesson.features[:, place], wanted.values, lesson.earlier)


def _train(setting: Setting, collected: Collected, number: int) -> Surrogate:
    how, seed, device = setting.development, setting.seed, setting.scene.device
    torch.manual_seed(stream(seed, "development weights", number).initial_seed())
    channels, (count, questions) = collected.features.shape[2], collected.values.shape
    network = Surrogate(channels, questions, how.widths).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), how.rate, weight_decay=how.decay)
    each = count // how.batch
    steps = each * how.epochs
    often = collected.values.mean(dim=0).to(device)

    def step(i: int) -> Losses:
        set_rate(optimiser, how.rate * one_cycle(i, steps))
        chosen = shuffled(
            count, how.batch, i, lambda epoch: stream(seed, "development", number, epoch)
        )
        turn = i // each % how.rounds
        logits = network(collected.features[turn, chosen].to(device))
        loss = _loss(how.task, logits, collected.values[chosen].to(device), often)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"cross-entropy": loss.item()}

    title = f"train f for {how.task}, network {number + 1} of {how.networks}"
    modules, optimisers = {"f": network}, {"adam": optimiser}
    recipe = f"{how} seed={seed} network={number} photographs={count}"
    job = Job(title, steps, step, modules, optimisers, recipe, {"releases": collected.digest})
    run(job, setting.kept_network(number))
    return network.eval()


def _loss(task: TaskName, logits: Logits, wanted: Tensor, often: Tensor) -> Tensor:
    """Each expression weighs alike, however rare: balanced accuracy is asked of it."""
    if task == "attributes":
        return binary_cross_entropy_with_logits(logits, wanted)
    return cross_entropy(logits, wanted, weight=1 / (len(often) * often))


def _plain(scene: Scene, faces: Faces) -> Iterator[Features]:
    """Enc(X), piece by piece: all at once would be 67 MB for each thousand faces."""
    for rows in torch.arange(len(faces)).split(PIECE):
        with torch.no_grad():
            yield scene.target.encode(faces.images(rows.numpy()).to(scene.device))


def _asked(
    networks: Sequence[Surrogate],
    pieces: Iterator[Features] | Sequence[Features],
    device: torch.device,
) -> list[Logits]:
    """Answers of each network to all of the features; on the CPU."""
    found: list[list[Logits]] = [[] for _ in networks]
    for piece in pieces:
        for network, mine in zip(networks, found, strict=True):
            with torch.no_grad():
                mine.append(network(piece.to(device)).cpu())
    return [torch.cat(mine) for mine in found]


def _scored(
    side: str, task: TaskName, scores: Sequence[Logits], wanted: Truth, minimum: int
) -> dict[str, Any]:
    """Means over the networks, and the least and greatest of them."""
    if task == "expression":
        scores = [one.log_softmax(dim=1) for one in scores]  # of one against the others
    found = [mean_auc(one, wanted.values, wanted.names, minimum) for one in scores]
    names = found[0].by_attribute
    each = {name: float(np.mean([one.by_attribute[name] for one in found])) for name in names}
    told = {
        **_spread(f"{side}_auc", [one.mean for one in found]),
        f"{side}_auc_by_question": each,
        f"{side}_left_out": len(found[0].left_out),
    }
    if task == "expression":
        told |= _spread(f"{side}_balanced", [balanced(one, wanted.values) for one in scores])
    return told


def balanced(scores: Tensor, wanted: Tensor) -> float:
    """Mean over classes of the share of their faces that are given that class; 0 to 1.

    `scores`, `wanted`: (batch, classes), the greatest of a row is its class. A class without a
    face does not count.
    """
    right, classes = scores.argmax(dim=1), wanted.argmax(dim=1)
    hits = (right == classes).double()
    counts = classes.bincount(minlength=wanted.shape[1])
    shares = classes.bincount(weights=hits, minlength=wanted.shape[1]) / counts.clamp(min=1)
    return shares[counts > 0].mean().item()


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: float(np.mean(values)), f"{name}_low": min(values), f"{name}_high": max(values)}
