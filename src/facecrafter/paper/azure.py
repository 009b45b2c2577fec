"""Whom does Azure Face recognise in a reconstruction? (VI-A and Appendix K.)

The service learns the private people from their private train photographs, as the judge does, and
then names whom it sees in what an attacker reconstructed from the releases of the test photographs.
"""

import hashlib
import io
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import ServiceError
from facecrafter.metrics.spread import confidence
from facecrafter.paper.adaptive import learn
from facecrafter.paper.azure_service import AT_ONCE, FaceService
from facecrafter.paper.cells import Cell
from facecrafter.paper.files import write_whole
from facecrafter.paper.keeping import taught, work_of, work_of_attack
from facecrafter.paper.measure import Made, deploy, invert, judge
from facecrafter.paper.provenance import code
from facecrafter.paper.scenes import Scene, judge_labels
from facecrafter.paper.store import Store
from facecrafter.paper.threats import THREATS, Threat
from facecrafter.paper.work import Work
from facecrafter.progress import Advance, progress
from facecrafter.randomness import permutation, stream
from facecrafter.training import basis
from facecrafter.training.settings import require_counts

NOBODY = -1  # in the place of a person's number


@dataclass(frozen=True)
class Judging:
    """How the service is asked. The paper tells nothing of it, so all of this is ours."""

    side: int = 256  # pixels that pictures are enlarged to; it wants faces of 200; ours
    recognition: str = "recognition_04"  # its newest model
    detection: str = "detection_03"  # its best one for small faces
    # 0 to 1; whoever is nearest is named, however unlikely, as the page's own judge does; ours
    threshold: float = 0.0
    sure: float = 0.5  # 0 to 1; confidence from which a name is counted as sure; ours
    most: int = 248  # photographs of a person; no more are taken by the service

    def __post_init__(self) -> None:
        require_counts(self, "side", "most")


@dataclass(frozen=True, eq=False)
class Setting:
    """One attacker against one defence: what the service is asked about."""

    defence: AbstractDefence
    threat: Threat | None  # None: the control, the test photographs themselves
    seed: int
    scene: Scene
    known: Faces  # X_train
    store: Store  # of `facecrafter evaluate`, for its folder of work
    judging: Judging = Judging()

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that the outcome depends on, but for the service itself."""
        digest, beside = self.scene.digest, ""
        if self.threat is not None:
            beside = self.cell.key(digest, taught(self.cell, self.scene))
        deployed = self.cell.deployment(digest)
        rest = (asdict(self.judging), basis.digest(self.known), code("metrics", "paper/azure"))
        return hashlib.sha256(repr((deployed, beside, rest)).encode()).hexdigest()

    @property
    def cell(self) -> Cell:
        """What `evaluate` measures of the same; of the control the release alone counts."""
        return Cell(self.scene.name, self.defence, self.threat or THREATS[0], self.seed)

    def released(self) -> Made:
        """Releases of the test photographs: those of `evaluate`, where it made them."""
        work = work_of(self.store, self.cell.deployment, self.scene.unjudged)
        return deploy(self.defence, self.seed, self.scene, work)

    def pictures(self) -> Made:
        """What the service is shown: (faces, 3, height, width), as bytes.

        Reconstructions are those of `evaluate`, where it made them; others are made and kept.
        """
        scene, cell = self.scene, self.cell
        if self.threat is None:
            return Made((scene.private_test.images() * 255).round().byte(), 0.0, "")
        seen = self.released().value
        work = work_of_attack(cell, scene, self.store, seen, taught(cell, scene))
        known = learn(cell, scene, self.store).view
        return invert(self.threat, self.seed, scene, seen, work, known)


@dataclass(frozen=True, eq=False)
class Group:
    """The private people, as the service knows them."""

    service: FaceService
    name: str
    judging: Judging
    people: Mapping[str, int]  # the service's id of a person -> place among the identities
    taken: int  # photographs that it learnt from
    refused: int  # photographs in which it saw no face, or several
    left_out: int  # photographs above `Judging.most`

    def whom(self, picture: bytes) -> str | None:
        """The service's id of the face in a picture; None where it sees none."""
        return self.service.detect(picture, self.judging.recognition, self.judging.detection)


@dataclass(frozen=True, eq=False)
class Named:
    """Whom the service sees, picture by picture."""

    found: Tensor  # whether it sees a face
    people: Tensor  # int64, place among the identities, or `NOBODY`
    confidence: Tensor  # 0 to 1


def answer(setting: Setting, group: Group) -> tuple[dict[str, Any], str]:
    """All measures of what the service recognises, and what was taken over from earlier code.

    Beside them what the scene's own judge says of the same pictures. Raises `ServiceError`.
    """
    scene, released, pictures = setting.scene, setting.released(), setting.pictures()
    floor = Work(setting.store.work / "floor")
    here = judge(scene, released.value, pictures.value.float() / 255, floor)
    title = "photographs" if setting.threat is None else setting.threat.name
    named = ask(group, pictures.value, title)
    own = judge_labels(setting.known, scene.private_test)
    hits = named.people == torch.from_numpy(own)
    interval = confidence(hits.double(), torch.from_numpy(scene.private_test.identities))
    outcome = {
        "eval_acc": interval.mean,  # 0 to 1, of all pictures; lower is more private
        "eval_acc_low": interval.low,  # 95 % interval over people
        "eval_acc_high": interval.high,
        "sure": (hits & (named.confidence >= setting.judging.sure)).double().mean().item(),
        "not_found": 1 - named.found.double().mean().item(),  # 0 to 1
        "eval_acc_here": here["eval_acc"],  # by the judge of the scene
        "auc": here["auc"],
        "always": np.bincount(own).max().item() / len(own),  # who names the most frequent one
        "faces": len(own),
        "people": len(group.people),
        "photographs": group.taken,
        "refused": group.refused,
        "left_out": group.left_out,
        "date": datetime.now(UTC).date().isoformat(),  # the service changes, and does not say so
        "recognised": "".join(str(int(hit)) for hit in hits),  # face by face, in their order
        "found": "".join(str(int(seen)) for seen in named.found),
    }
    earlier = {"release": released.earlier, "attack": pictures.earlier}
    taken = [f"{number} batches of the {what}" for what, number in earlier.items() if number]
    return outcome, ", ".join(taken)


def ask(group: Group, pictures: Tensor, title: str) -> Named:
    """Whom the service recognises. `pictures`: bytes, (faces, 3, height, width).

    Raises `ServiceError`.
    """
    count = len(pictures)
    found, people = torch.zeros(count, dtype=torch.bool), torch.full((count,), NOBODY)
    confidences = torch.zeros(count, dtype=torch.float64)
    with progress(f"ask {group.service.host}, {title}", count) as advance:
        for rows in torch.arange(count).split(AT_ONCE):
            seen: dict[int, str] = {}
            for row in rows.tolist():
                face = group.whom(file_of(pictures[row], group.judging.side))
                if face is not None:
                    seen[row] = face
                advance()
            faces = list(seen.values())
            told = (
                group.service.identify(group.name, faces, group.judging.threshold) if faces else {}
            )
            for row, face in seen.items():
                found[row], candidate = True, told[face]
                if candidate is not None:
                    people[row] = _place(group, candidate.person)
                    confidences[row] = candidate.confidence
    return Named(found, people, confidences)


@contextmanager
def enrolled(service: FaceService, known: Faces, judging: Judging, notes: Path) -> Generator[Group]:
    """The people of these photographs as a group at the service, for as long as the block runs.

    It is deleted afterwards whatever happens; a note in the folder `notes` tells of it until then.
    Before any photograph a painted face of nobody is shown, so that a wrong key, or one that may
    not identify people, costs no photograph. Raises `ServiceError`.
    """
    painted = torch.from_numpy(synthetic(0, people=1, photographs=1).pixels[np.array([0])])
    service.detect(file_of(painted[0], judging.side), judging.recognition, judging.detection)
    name = f"facecrafter-{uuid4().hex}"
    note = notes / name
    write_whole(note, service.endpoint.encode())
    try:
        service.create(name, judging.recognition)
        yield _filled(service, name, known, judging)
    except BaseException as error:
        _forget(service, note, error)
        raise
    _forget(service, note)


def left(notes: Path) -> list[Path]:
    """Notes of groups that may still be at the service: a run was killed, or is still going on."""
    return sorted(notes.glob("facecrafter-*"))


def delete_left(service: FaceService, notes: Path) -> int:
    """Delete the groups of these notes; returns how many. Raises `ServiceError`.

    Those at another endpoint are refused: there alone they can be deleted.
    """
    found = left(notes)
    for note in found:
        if note.read_text() != service.endpoint:
            raise ServiceError(
                f"the group {note.name} was made at another endpoint, {note.read_text()}. Run the "
                "same command with that one."
            )
        _forget(service, note)
    return len(found)


def file_of(face: Tensor, side: int) -> bytes:
    """A face, bytes, (3, height, width), enlarged to `side` pixels, as the bytes of a BMP file.

    Not a PNG: one of a plain picture has less than the 1,024 bytes that the service wants, and a
    defence that leaves nothing to see would end in an error.
    """
    picture = Image.fromarray(face.permute(1, 2, 0).contiguous().numpy())
    buffer = io.BytesIO()
    picture.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "BMP")
    return buffer.getvalue()


def _filled(service: FaceService, name: str, known: Faces, judging: Judging) -> Group:
    """Show the service some photographs of everybody, and let it learn."""
    _, places = np.unique(known.identities, return_inverse=True)
    rows = [_some(np.flatnonzero(places == place), judging) for place in range(places.max() + 1)]
    total, people, taken = sum(map(len, rows)), dict[str, int](), 0
    with progress(f"show {service.host} the private train photographs", total) as advance:
        for place, mine in enumerate(rows):
            # a number in the place of a name, which is nobody's business
            person = service.add_person(name, f"person {place}")
            people[person] = place
            pixels = torch.from_numpy(known.pixels[mine])
            shown = [
                _add(service, name, person, file_of(face, judging.side), judging, advance)
                for face in pixels
            ]
            if not any(shown):
                raise ServiceError(
                    f"the service sees a face in none of {len(mine)} photographs of person {place} "
                    "of the private ones. Whom it does not know it can never recognise, and would "
                    "look hidden, so nothing was measured. Leave the person out."
                )
            taken += sum(shown)
    service.train(name)
    return Group(service, name, judging, people, taken, total - taken, len(known) - total)


def _add(
    service: FaceService,
    group: str,
    person: str,
    picture: bytes,
    judging: Judging,
    advance: Advance,
) -> bool:
    taken = service.add_face(group, person, picture, judging.detection)
    advance()
    return taken


def _some(rows: NDArray[np.int64], judging: Judging) -> NDArray[np.int64]:
    """As many of a person's photographs as the service takes, at random where there are more."""
    order = permutation(len(rows), stream(0, "azure", len(rows))).numpy()
    return np.sort(rows[order[: judging.most]])


def _place(group: Group, person: str) -> int:
    if person not in group.people:
        raise ServiceError(
            "the service names a person who is not in the group: is this Azure Face?"
        )
    return group.people[person]


def _forget(service: FaceService, note: Path, error: BaseException | None = None) -> None:
    """Delete a group and the note of it. `error`: what ended the block before."""
    try:
        service.delete(note.name)
    except ServiceError as failure:
        before = "" if error is None else f"{str(error) or 'stopped.'} Besides: "
        raise ServiceError(
            f"{before}the group {note.name}, with features of private people, may still be at the "
            f"service, which did not delete it ({failure}). Run the same command with "
            "--delete-left."
        ) from failure
    note.unlink(missing_ok=True)
