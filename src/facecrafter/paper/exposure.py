"""Who is in a release? Asked of an attacker who knows other features by name (VI-F, Table VIII).

He got features of other photographs of the same people and knows whose they are. A network of his
learns to name people by them, and then names those in the releases of the test photographs. No face
is drawn and no judge is asked, so what he gets right is what a release tells of identity at least.
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.plain import Plain
from facecrafter.errors import SettingError
from facecrafter.metrics.spread import confidence
from facecrafter.metrics.utility import mean_auc
from facecrafter.models.surrogate import Surrogate
from facecrafter.paper.cells import METHODS, Cell
from facecrafter.paper.measure import Made, deploy
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import PIECE, Scene, judge_labels
from facecrafter.paper.threats import THREATS
from facecrafter.paper.work import Piece, Work
from facecrafter.progress import progress
from facecrafter.randomness import permutation, stream
from facecrafter.training import basis, checkpoints
from facecrafter.training.batches import varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.settings import (
    require_choice,
    require_counts,
    require_not_negative,
    require_positive,
)
from facecrafter.types import Features, Logits

Kind = Literal["original", "protected"]
KINDS: tuple[Kind, ...] = ("original", "protected")
TOP = 5  # whom he names first; ours
SHIFT = 2  # pixels by which a view is moved at most, as in `training.pairs`; ours


@dataclass(frozen=True)
class Exposure:
    """What the attacker learns from, and how. The settings were chosen on private train faces.

    "original": Enc(X_train), as the paper has it. "protected": what the defence releases for
    X_train, which he protects himself; ours. Both of several views of each photograph, half of them
    mirrored: to mirror, he needs the photographs, which the paper's attacker does not have.
    """

    kind: Kind
    rounds: int = 2  # views of each photograph; each is protected afresh; ours
    restarts: int = 3  # networks from fresh weights, whose answers are averaged; ours
    widths: tuple[int, ...] = (96, 128, 192)  # of `Surrogate`; ours
    epochs: int = 20  # ours
    batch: int = 64  # ours
    rate: float = 1.5e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    smoothing: float = 0.1  # of the labels; ours

    def __post_init__(self) -> None:
        require_choice(self, "kind", *KINDS)
        require_counts(self, "rounds", "restarts", "widths", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")
        require_not_negative(self, "decay")
        if not self.widths:
            raise SettingError("widths=() of Exposure: give one at least.")
        if not 0 <= self.smoothing < 1:
            raise SettingError(f"smoothing={self.smoothing} of Exposure: give 0 or more, below 1.")

    def teacher(self, defence: AbstractDefence) -> AbstractDefence:
        """Whose releases he learns from."""
        return Plain() if self.kind == "original" else defence


@dataclass(frozen=True, eq=False)
class Lesson:
    """Features whose people he knows."""

    features: Tensor  # (rounds, photographs, channels, height, width), on the CPU
    labels: Tensor  # (photographs,): places in `numpy.unique` of the identities
    people: int
    earlier: str  # "15 of 17": batches taken over from earlier code; "" for none

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> dict[str, Tensor]:
        """SHA-256 of both, as a checkpoint can keep it."""
        found = checkpoints.digest({"features": self.features, "labels": self.labels})
        return {"lesson": torch.tensor(list(bytes.fromhex(found)), dtype=torch.uint8)}


@dataclass(frozen=True, eq=False)
class Setting:
    """One attacker against one defence: what is measured, and where its work is kept."""

    defence: AbstractDefence
    exposure: Exposure
    seed: int
    scene: Scene
    exposed: Faces  # X_train
    work: Path
    spot_check: bool = False

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on."""
        told = (self._lessons(), self.exposure.kind, TOP)
        return _hash(code("metrics"), self._cell(self.defence).deployment(self.scene.digest), told)

    def released(self) -> Made:
        """Releases of the test photographs: those of `measure`, where it made them."""
        cell, digest = self._cell(self.defence), self.scene.unjudged
        names = cell.deployment(digest, any_code=True), cell.deployment(digest)
        return deploy(self.defence, self.seed, self.scene, self._kept(*names))

    def kept_releases(self) -> Work:
        """Where releases to learn from are kept; more rounds are added to those there."""
        cell, digest = self._cell(self.exposure.teacher(self.defence)), self.scene.unjudged
        any_code = _hash(cell.deployment(digest, any_code=True), self._exposed)
        views = code("training/batches"), code("paper/exposure")
        return self._kept(any_code, _hash(cell.deployment(digest), self._exposed, views))

    def kept_network(self, restart: int) -> Path:
        """Where a network of his is trained."""
        return self.work / self._lessons()[:16] / f"names{restart}"

    def _lessons(self) -> str:
        """SHA-256 of what he learns; a lesson of originals is the same for all defences."""
        recipe = asdict(self.exposure)
        del recipe["kind"]
        teacher = self._cell(self.exposure.teacher(self.defence))
        return _hash(_own_code(), teacher.deployment(self.scene.unjudged), self._exposed, recipe)

    @cached_property
    def _exposed(self) -> str:
        return basis.digest(self.exposed)

    def _cell(self, defence: AbstractDefence) -> Cell:
        """A cell with this defence's release; its threat is of no influence on that."""
        return Cell(self.scene.name, defence, THREATS[0], self.seed)

    def _kept(self, any_code: str, this_code: str) -> Work:
        """As in `measure`: a folder for what this code makes, within one for any code."""
        return Work(self.work / any_code[:16] / this_code[:16], self.spot_check)


def answer(setting: Setting) -> tuple[dict[str, Any], str]:
    """All measures of what the attacker names, and what was taken over from earlier code."""
    scene = setting.scene
    truth = torch.from_numpy(judge_labels(setting.exposed, scene.private_test))
    released = setting.released()
    lesson = learn(setting)
    logits = named(setting, lesson, released.value)
    order = logits.topk(min(TOP, lesson.people), dim=1).indices
    hits = order == truth[:, None]
    often = lesson.labels.bincount(minlength=lesson.people).topk(order.shape[1]).indices
    always = often == truth[:, None]
    outcome = {
        **_share("top1", hits[:, 0], scene.private_test),
        **_share("top5", hits.any(dim=1), scene.private_test),
        "top1_of_a_person": _per_person(hits[:, 0], truth),  # the mean over people
        "top1_always": always[:, 0].double().mean().item(),  # who names the most frequent one
        "top5_always": always.any(dim=1).double().mean().item(),
        "auc": _mean_auc(scene, released.value),
        "seconds": released.seconds / len(truth),
        "faces": len(truth),
        "people": lesson.people,
        "photographs": len(lesson),
        "named": "".join(str(int(hit)) for hit in hits[:, 0]),  # face by face, in their order
    }
    return outcome, _taken_over(released, lesson)


def learn(setting: Setting) -> Lesson:
    """Releases of the exposed photographs, protected as a device does, piece by piece.

    In a random order, for photographs lie person by person, and in batches of nearly equal size.
    """
    scene, exposed, seed = setting.scene, setting.exposed, setting.seed
    people, labels = np.unique(exposed.identities, return_inverse=True)
    order = permutation(len(exposed), stream(0, "exposed", scene.name)).numpy()
    batches = np.array_split(order, -(-len(order) // scene.batch))
    rounds, work = setting.exposure.rounds, setting.kept_releases()
    teacher = setting.exposure.teacher(setting.defence)
    protector = teacher.fit(scene.offline(), stream(seed, "defence")).to(scene.device)

    def protect(number: int) -> Features:
        rows = batches[number % len(batches)]
        views = varied(exposed.images(rows), stream(seed, "exposed view", number), SHIFT)
        protector.folder = work.unfinished(number)
        rng = stream(seed, "exposed", number)
        return protector(views.to(scene.device), rng).in_order_of_images().detach()

    count, pieces = rounds * len(batches), list[Piece]()
    work.take_over(count, protect)
    with progress(f"protect to learn from, {type(teacher).__name__}", count) as advance:
        for number in range(count):
            pieces.append(work.piece(number, lambda number=number: protect(number)))
            advance()
    values = torch.cat([piece.value for piece in pieces]).unflatten(0, (rounds, len(order)))
    earlier = sum(piece.earlier for piece in pieces)
    told = f"{earlier} of {count}" if earlier else ""
    return Lesson(values, torch.from_numpy(labels[order]), len(people), told)


def named(setting: Setting, lesson: Lesson, features: Features) -> Logits:
    """Log-likelihoods of all people, the mean over his networks; on the CPU."""
    device, total = setting.scene.device, torch.zeros(len(features), lesson.people)
    for restart in range(setting.exposure.restarts):
        network = _train(setting, lesson, restart)
        with torch.no_grad():
            logits = [network(piece.to(device)).cpu() for piece in features.split(PIECE)]
        total += torch.cat(logits).log_softmax(dim=1) / setting.exposure.restarts
    return total


def _train(setting: Setting, lesson: Lesson, restart: int) -> Surrogate:
    exposure, seed, device = setting.exposure, setting.seed, setting.scene.device
    torch.manual_seed(stream(seed, "names weights", restart).initial_seed())
    channels = lesson.features.shape[2]
    network = Surrogate(channels, lesson.people, exposure.widths).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), exposure.rate, weight_decay=exposure.decay)
    each = len(lesson) // exposure.batch
    steps = each * exposure.epochs

    def step(i: int) -> Losses:
        set_rate(optimiser, exposure.rate * one_cycle(i, steps))
        chosen = shuffled(
            len(lesson), exposure.batch, i, lambda epoch: stream(seed, "names", restart, epoch)
        )
        turn = i // each % exposure.rounds
        logits = network(lesson.features[turn, chosen].to(device))
        wanted = lesson.labels[chosen].to(device)
        loss = cross_entropy(logits, wanted, label_smoothing=exposure.smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"cross-entropy": loss.item()}

    title = f"learn names, network {restart + 1} of {exposure.restarts}"
    modules, optimisers = {"names": network}, {"adam": optimiser}
    recipe = f"seed={seed} restart={restart} photographs={len(lesson)}"
    job = Job(title, steps, step, modules, optimisers, recipe, {"lesson": lesson.digest})
    run(job, setting.kept_network(restart))
    return network.eval()


def _taken_over(released: Made, lesson: Lesson) -> str:
    told = {"release": released.earlier, "lesson": lesson.earlier}
    return ", ".join(f"{number} batches of the {name}" for name, number in told.items() if number)


def _share(name: str, hits: Tensor, faces: Faces) -> dict[str, float]:
    """A share, 0 to 1, and its 95 % interval over people."""
    interval = confidence(hits.double(), torch.from_numpy(faces.identities))
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _per_person(hits: Tensor, truth: Tensor) -> float:
    """The mean over people of the share of their photographs, so that each counts alike."""
    counts, right = truth.bincount(), truth.bincount(weights=hits.double())
    return (right[counts > 0] / counts[counts > 0]).mean().item()


def _mean_auc(scene: Scene, features: Features) -> float:
    """Of the cloud's answers to a release, over photographs whose attributes are known."""
    rows = scene.private_test.known()
    truth = torch.from_numpy(scene.private_test.attributes[rows])
    known = features[torch.from_numpy(rows)]
    with torch.no_grad():
        pieces = [scene.target.head(p.to(scene.device)).cpu() for p in known.split(PIECE)]
    names = scene.private_test.attribute_names
    return mean_auc(torch.cat(pieces), truth, names, scene.minimum).mean


def _own_code() -> str:
    """SHA-256 of what trains his networks."""
    used = frozenset({"facecrafter.training.loop", "facecrafter.training.batches"})
    return _hash(code("models"), code(*METHODS, used_by=used), code("paper/exposure"))


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(repr(part) for part in parts).encode()).hexdigest()
