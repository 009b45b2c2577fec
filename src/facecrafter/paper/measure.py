"""Measure one cell: deploy, intercept, invert, judge."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecrafter.attacks.averaged import Averaged
from facecrafter.attacks.base import AttackerView
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import SettingError
from facecrafter.metrics.identity import mean_feature_similarity, recognised
from facecrafter.metrics.image import ssim
from facecrafter.metrics.pii import epsilon_pii
from facecrafter.metrics.spread import confidence
from facecrafter.metrics.utility import mean_auc
from facecrafter.metrics.verification import accepted
from facecrafter.paper import describe, provenance
from facecrafter.paper.adaptive import learn
from facecrafter.paper.cells import Cell
from facecrafter.paper.equipped import equipped
from facecrafter.paper.keeping import digest, kept_faces, taught, work_of, work_of_attack
from facecrafter.paper.redeployed import redeployed
from facecrafter.paper.repeated import averaged, near_duplicate
from facecrafter.paper.scenes import PIECE, Scene
from facecrafter.paper.store import TAKEN_OVER, Record, Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.work import Piece, Work
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.types import Features, Images

RATES = {"tar_1": 0.01, "tar_01": 0.001}  # FAR at which 1:1 verification is measured; ours
VERIFIED = RATES.keys()  # of an outcome that has it


@dataclass(frozen=True, eq=False)
class Made:
    """Something for every private test face, in their order, and how long all of it took."""

    value: Tensor  # features, or faces as bytes; on the CPU
    seconds: float
    earlier: str  # "15 of 17": batches taken over from earlier code; "" for none


def measure(cell: Cell, scene: Scene, store: Store) -> Record:
    """The record of a cell, from the store if it is there, else measured and put there.

    Raises `SettingError` for a cell of another scene, `ResultError` where nothing can be written.
    """
    if cell.scene != scene.name:
        raise SettingError(f"the cell is of {cell.scene!r}, the scene is {scene.name!r}.")
    beside = taught(cell, scene)
    key = cell.key(scene.digest, beside)
    found = store.find(key)
    if found is not None:
        return _verified(found, cell, scene, store)
    scene = equipped(cell, redeployed(cell, scene, store), store)
    # Kept without the judge in their names, and attacks by what they attack: neither another
    # judge nor other code that releases the same needs a new attack.
    released = deploy(
        cell.defence, cell.seed, scene, work_of(store, cell.deployment, scene.unjudged)
    )
    release, seen = digest(released.value), _intercept(cell, scene, store, released.value)
    attack = work_of_attack(cell, scene, store, seen, beside)
    before = learn(cell, scene, store)
    faces = invert(cell.threat, cell.seed, scene, seen, attack, before.view)
    began = perf_counter()
    outcome = judge(scene, released.value, faces.value.float() / 255, Work(store.work / "floor"))
    outcome["seconds"] = released.seconds / len(scene.private_test)
    wall = released.seconds + before.seconds + faces.seconds + perf_counter() - began
    record = Record(
        scene=cell.scene,
        defence=describe.of_defence(cell.defence),
        threat=describe.of_threat(cell.threat),
        seed=cell.seed,
        outcome=outcome,
        reported=asdict(cell.reported) if cell.reported else None,
        commit=provenance.commit(),
        versions={
            **provenance.versions(),
            "scene": scene.digest,
            "release": release,
            "cell": key,
            **({"taught": beside} if beside else {}),
            **_taken_over(released, faces),
        },
        machine=provenance.machine(scene.device),
        wall=wall,
    )
    store.write(key, record)
    return record


def _verified(record: Record, cell: Cell, scene: Scene, store: Store) -> Record:
    """With TAR, where the record was made before that was measured and its faces are kept."""
    faces = None if record.outcome.keys() >= VERIFIED else kept_faces(cell, scene, store)
    if faces is None:
        return record
    outcome = {**record.outcome, **verify(scene, faces.float() / 255)}
    told = replace(record, outcome=outcome)
    store.write(record.versions["cell"], told)
    return told


def _intercept(cell: Cell, scene: Scene, store: Store, first: Features) -> Features:
    """What is inverted: the release, or the mean of several where the attacker asks again (A3)."""
    attack = cell.threat.attack
    if not isinstance(attack, Averaged):
        return first
    own = work_of(store, cell.deployment, scene.unjudged).folder
    kind = "near" if attack.near else "again"
    more = [
        _protected(cell, scene, Work(own / f"{kind}{query}"), query, attack.near)
        for query in range(1, attack.queries)
    ]
    return averaged(attack, scene, [first, *more])


def _protected(cell: Cell, scene: Scene, work: Work, query: int, near: bool) -> Features:
    """A further release of all private test faces; the rows of each batch in the order as sent."""
    protector = cell.defence.fit(scene.offline(), stream(cell.seed, "defence")).to(scene.device)

    def protect(number: int, rows: NDArray[np.int64]) -> Features:
        images = scene.images(rows)
        shown = near_duplicate(images, query) if near else images
        rng = stream(cell.seed, "defence", number, "query", query)
        return protector(shown, rng).features.detach()

    title = f"protect again, {type(cell.defence).__name__}"
    return _batch_by_batch(title, scene, work, protect).value


def _taken_over(released: Made, faces: Made) -> dict[str, str]:
    told = {"release": released.earlier, "attack": faces.earlier}
    some = [f"{number} batches of the {name}" for name, number in told.items() if number]
    return {TAKEN_OVER: ", ".join(some)} if some else {}


def deploy(defence: AbstractDefence, seed: int, scene: Scene, work: Work) -> Made:
    """Protect all private test faces, batch by batch; the releases' order is undone."""
    protector = defence.fit(scene.offline(), stream(seed, "defence")).to(scene.device)

    def protect(number: int, rows: NDArray[np.int64]) -> Features:
        rng = stream(seed, "defence", number)  # of this batch alone, so that a run can go on
        protector.folder = work.unfinished(number)
        return protector(scene.images(rows), rng).in_order_of_images().detach()

    return _batch_by_batch(f"protect, {type(defence).__name__}", scene, work, protect)


def invert(
    threat: Threat,
    seed: int,
    scene: Scene,
    features: Features,
    work: Work,
    view: AttackerView | None = None,
) -> Made:
    """Reconstruct a face from every intercepted feature: pictures of 8 bits, as one would save.

    `view`: what the attacker knows; by default what a basic one does.
    """
    known = scene.view(threat.sees) if view is None else view

    def reconstruct(number: int, rows: NDArray[np.int64]) -> Tensor:
        # Fitted for each batch, so that its random starts do not depend on batches before; what
        # there is to be trained was trained before, so fitting trains nothing.
        rng = stream(seed, "attack", threat.name, number)
        inverter = threat.itself.fit(known, rng).to(scene.device)
        faces = inverter(features[torch.from_numpy(rows)].to(scene.device))
        return (faces.detach().clamp(0, 1) * 255).round().byte()

    return _batch_by_batch(f"attack, {threat.name}", scene, work, reconstruct)


def judge(scene: Scene, features: Features, faces: Images, floor: Work) -> dict[str, Any]:
    """All measures of one release and one attack on it, but for the seconds."""
    judging, device = scene.bundle.need("judge"), scene.device
    originals, seen = scene.private_test.images().to(device), faces.to(device)
    hits = recognised(judging, seen, torch.from_numpy(scene.labels)).cpu()
    interval = confidence(hits, torch.from_numpy(scene.private_test.identities))
    utility = mean_auc(*_answers(scene, features), scene.minimum)
    average = scene.average(len(faces))
    return {
        "eval_acc": interval.mean,  # 0 to 1, lower is more private
        "eval_acc_low": interval.low,  # 95 % interval over people
        "eval_acc_high": interval.high,
        "fsim": mean_feature_similarity(judging, seen, originals),  # -1 to 1
        "ssim": ssim(seen, originals).mean().item(),  # up to 1
        "auc": utility.mean,  # 0 to 1, higher is more useful
        "l_u": _lost(scene, features),  # from 0, lower is more useful
        "auc_attributes": len(utility.by_attribute),
        "auc_by_attribute": dict(utility.by_attribute),
        "auc_left_out": len(utility.left_out),
        "pii": epsilon_pii(faces, average),  # lower is more private
        "pii_floor": _floor(scene, average, floor),  # the same of average faces themselves
        "faces": len(faces),
        "batch": scene.batch,
        "recognised": "".join(str(int(hit)) for hit in hits),  # face by face, in their order
        **verify(scene, faces),
    }


def verify(scene: Scene, faces: Images) -> dict[str, float]:
    """TAR at each of `RATES`, 0 to 1, and its 95 % interval over people; lower is more private.

    None where the scene has too few pairs of two people for the lowest rate.
    """
    labels, people = torch.from_numpy(scene.labels), torch.from_numpy(scene.private_test.identities)
    if (labels[:, None] != labels).sum() * min(RATES.values()) < 1:
        return {}
    seen, known = (_embedded(scene, some) for some in (faces, scene.private_test.images()))
    told: dict[str, float] = {}
    for name, rate in RATES.items():
        interval = confidence(accepted(seen, known, labels, rate), people)
        told |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return told


def _embedded(scene: Scene, faces: Images) -> Tensor:
    """The judge's embeddings, on the CPU."""
    judging = scene.bundle.need("judge")
    with torch.no_grad():
        return torch.cat([judging.embed(p.to(scene.device)).cpu() for p in faces.split(PIECE)])


def _lost(scene: Scene, features: Features) -> float:
    """L_u (Eq. 6, squared): the mean square by which features differ from Enc(X)."""
    rows = torch.arange(len(features)).split(PIECE)
    with torch.no_grad():
        raw = torch.cat([scene.target.encode(scene.images(some.numpy())).cpu() for some in rows])
    return (features - raw).square().mean().item()


def _answers(scene: Scene, features: Features) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The cloud's logits and the truth, for photographs whose attributes are known."""
    rows = scene.private_test.known()
    truth = torch.from_numpy(scene.private_test.attributes[rows])
    known = features[torch.from_numpy(rows)]
    with torch.no_grad():
        pieces = [scene.target.head(p.to(scene.device)).cpu() for p in known.split(PIECE)]
    return torch.cat(pieces), truth, scene.private_test.attribute_names


def _floor(scene: Scene, average: Images, work: Work) -> float:
    """Epsilon of a second sample of average faces: what finite samples cannot fall below."""

    def make() -> Tensor:
        other = scene.average(len(average), "more average")
        return torch.tensor(epsilon_pii(other, average), dtype=torch.float64)

    return Work(work.folder / scene.digest[:16]).piece(0, make).value.item()


def _batch_by_batch(
    title: str, scene: Scene, work: Work, make: Callable[[int, NDArray[np.int64]], Tensor]
) -> Made:
    """Every batch made or read from `work`, put into the order of the faces."""
    batches, pieces = scene.batches(), list[Piece]()
    work.take_over(len(batches), lambda number: make(number, batches[number]))
    with progress(title, len(scene.private_test)) as advance:
        for number, rows in enumerate(batches):
            pieces.append(work.piece(number, lambda number=number, rows=rows: make(number, rows)))
            advance(len(rows))
    order = torch.from_numpy(np.argsort(np.concatenate(batches)))
    value = torch.cat([piece.value for piece in pieces])[order]
    earlier = sum(piece.earlier for piece in pieces)
    told = f"{earlier} of {len(pieces)}" if earlier else ""
    return Made(value, sum(piece.seconds for piece in pieces), told)
