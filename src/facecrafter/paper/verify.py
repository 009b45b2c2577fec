"""Attack one's own protected photographs and say what is still to be seen of each.

A similarity says nothing by itself: a judge finds strangers alike who only look the same way. So
each photograph stands in a line-up. The same attacks are run on the protected features of faces
that the prior draws, who are nobody; if one of those pictures is as alike to the photograph as the
picture of its own feature is, then the attack has told nothing about who is on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from facecrafter.attacks.base import AttackerView
from facecrafter.bundle import Bundle
from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.defences.base import AbstractDefence, Offline, require_images
from facecrafter.defences.privacy import average_faces
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import BundleError, DataError, SettingError
from facecrafter.metrics.image import ssim
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.judge import Judge
from facecrafter.paper.precision import suited
from facecrafter.paper.threats import Threat, threats
from facecrafter.progress import Advance, progress
from facecrafter.randomness import child, permutation, stream
from facecrafter.types import Embeddings, Features, Images, Scores

FACT = "verification"  # where a bundle's facts hold the calibration
PHOTOGRAPHS = 2000  # compared with each other at most: two million pairs; ours
STRANGERS = 64  # in the line-up; ours
RANK = 65  # stands out: whom fewer than one in so many strangers equals; ours
BATCH = 64  # photographs crafted together; paper, VI-E

Level = Literal["hidden", "cannot tell", "at risk", "recognisable"]
LEVELS: tuple[Level, ...] = ("hidden", "cannot tell", "at risk", "recognisable")  # the worst last
MEANING: Mapping[Level, str] = {
    "hidden": "of each photograph the attacks show no more than of strangers' features",
    "cannot tell": "the attacks do not break even a plain feature, so that they fail says nothing",
    "at risk": "what the attacks show is more alike to the person than all that they show of "
    "strangers, but not so alike that it would pass for the same person",
    "recognisable": "what the attacks show is more alike to the person than all that they show of "
    "strangers, and would pass for the same person",
}


@dataclass(frozen=True)
class Verdict:
    """What the strongest attack on one photograph got, protected and plain."""

    level: Level
    similarity: float  # of identity: cosine of the judge's penultimate layers, -1 to 1
    ssim: float  # up to 1
    threat: str  # the attack that it comes from
    strangers: int  # whose pictures are at least as alike to the photograph
    plain_similarity: float  # the same from the feature without protection
    plain_ssim: float


@dataclass(frozen=True, eq=False)
class Verification:
    """One verdict for each photograph, in order, and one for all."""

    verdicts: tuple[Verdict, ...]
    reconstructions: Images  # by the strongest attack on each; on the CPU

    @property
    def overall(self) -> Level:
        """That of the worst photograph."""
        return worst(self.verdicts)


def worst(verdicts: Sequence[Verdict]) -> Level:
    """The level of the worst photograph."""
    return LEVELS[max(LEVELS.index(verdict.level) for verdict in verdicts)]


def verify(
    images: Images,
    bundle: Bundle,
    defence: AbstractDefence,
    rng: Generator,
    shadows: Sequence[nn.Module] = (),
    attacks: Sequence[Threat] = (),
    memory: Path | None = None,
    strangers: int = STRANGERS,
) -> Verification:
    """Protect photographs, attack what would be sent, and judge the reconstructions.

    The plain features are attacked likewise: an attack that cannot break those proves nothing.
    `images`: (batch, 3, height, width), RGB, 0 to 1, of the bundle's size. `shadows`: decoders
    besides the bundle's own. `attacks`: by default white-box, black-box and hybrid. `memory`: of
    `Remembered`. Raises `BundleError` where the bundle lacks a network or the calibration, and what
    the defence raises.
    """
    require_images(images, bundle.facts.get("size"))
    if strangers < 1:
        raise SettingError(f"strangers={strangers}: a line-up needs 1 or more.")
    passes, device = threshold(bundle.facts), next(bundle.need("target").parameters()).device
    attacker, offline = _prepared(bundle, shadows, attacks)
    mine = Remembered(defence, memory).fit(offline, child(rng, "fit")).to(device)
    another = defence.fit(offline, child(rng, "fit")).to(device)  # strangers are not remembered
    unknown = average_faces(offline, strangers, child(rng, "strangers"), images.to(device))
    faces, verdicts = list[Images](), list[Verdict]()
    with progress("attacking", len(attacker.threats) * (len(unknown) + 2 * len(images))) as advance:
        released = _released(another, unknown, child(rng, "protect strangers"))
        shown = attacker.attack(released, child(rng, "attack strangers"), advance)
        line_up = torch.stack([attacker.embed(each) for each in shown])
        for number, piece in enumerate(images.split(BATCH)):
            originals = piece.to(device)
            released = _released(mine, originals, child(rng, "protect", number))
            with torch.no_grad():
                raw = offline.encode(originals)
            protected, plain = (
                _strongest(
                    attacker.attack(features, child(rng, "attack", number), advance),
                    attacker,
                    originals,
                    line_up,
                )
                for features in (released, raw)
            )
            faces.append(protected.faces.cpu())
            verdicts += _verdicts(protected, plain, passes, strangers, attacker)
    return Verification(tuple(verdicts), torch.cat(faces))


def _released(protector: nn.Module, faces: Images, rng: Generator) -> Features:
    return protector(faces, rng).in_order_of_images().detach()


@dataclass(frozen=True, eq=False)
class _Attacker:
    """All attacks on one encoder, and the judge of what they get."""

    view: AttackerView
    threats: tuple[Threat, ...]
    judge: Judge

    def attack(self, features: Features, rng: Generator, advance: Advance) -> tuple[Images, ...]:
        """The reconstructions of each threat."""
        faces: list[Images] = []
        for threat in self.threats:
            view = self.view
            if threat.sees == "black-box":
                view = AttackerView(view.query, shadows=view.shadows)
            inverter = threat.attack.fit(view, child(rng, threat.name)).to(features.device)
            faces.append(inverter(features).detach().clamp(0, 1))
            advance(len(features), threat.name)
        return tuple(faces)

    def embed(self, faces: Images) -> Embeddings:
        """Directions in which the judge sees them."""
        with torch.no_grad():
            return normalize(self.judge.embed(faces))


@dataclass(frozen=True, eq=False)
class _Seen:
    """The strongest attack on each photograph."""

    faces: Images
    similarity: Scores
    ssim: Scores
    attack: Tensor  # its number
    strangers: Tensor  # how many of the line-up are at least as alike


def _prepared(
    bundle: Bundle, shadows: Sequence[nn.Module], attacks: Sequence[Threat]
) -> tuple[_Attacker, Offline]:
    target, prior = fold_batch_norms(bundle.need("target")), fold_batch_norms(bundle.need("prior"))
    decoders = (bundle.need("decoder"), *shadows)
    view = AttackerView(
        target.encode,
        encoder=target.encode,
        prior=prior,
        amortiser=bundle.amortiser,
        shadows=decoders,
    )
    place = next(target.parameters()).device
    chosen = tuple(attacks) or suited(threats(decoders=len(decoders)), place)
    offline = Offline(target.encode, prior, bundle.amortiser, bundle.critic, bundle.surrogate)
    return _Attacker(view, chosen, bundle.need("judge")), offline


def _strongest(
    faces: Sequence[Images], attacker: _Attacker, originals: Images, line_up: Tensor
) -> _Seen:
    """Of several attacks' reconstructions the one that is most alike, photograph by photograph.

    line_up: directions of the strangers' pictures, (attacks, strangers, numbers). Of a stranger,
    too, the picture counts that is most alike.
    """
    me = attacker.embed(originals)
    similar = torch.stack([(attacker.embed(each) * me).sum(dim=1) for each in faces])
    most, chosen = similar.max(dim=0)
    best = torch.stack(list(faces))[chosen, torch.arange(len(originals), device=chosen.device)]
    others = (line_up @ me.T).amax(dim=0)
    return _Seen(best, most, ssim(best, originals), chosen, (others >= most).sum(dim=0))


def _verdicts(
    protected: _Seen, plain: _Seen, passes: float, several: int, attacker: _Attacker
) -> tuple[Verdict, ...]:
    now, before = (_levels(seen, passes, several) for seen in (protected, plain))
    return tuple(
        Verdict(
            _told(now[i], before[i]),
            protected.similarity[i].item(),
            protected.ssim[i].item(),
            attacker.threats[int(protected.attack[i])].name,
            int(protected.strangers[i]),
            plain.similarity[i].item(),
            plain.ssim[i].item(),
        )
        for i in range(len(now))
    )


def _levels(seen: _Seen, passes: float, several: int) -> list[Level]:
    return [
        level(similarity, strangers, several, passes)
        for similarity, strangers in zip(
            seen.similarity.tolist(), seen.strangers.tolist(), strict=True
        )
    ]


def level(similarity: float, strangers: int, several: int, passes: float) -> Level:
    """Hidden where strangers are as alike, else recognisable from the similarity that passes.

    One stranger of 64 will do, ten of 650 will not: a longer line-up is no place to hide in.
    """
    if strangers * RANK > several:
        return "hidden"
    return "recognisable" if similarity >= passes else "at risk"


def _told(protected: Level, plain: Level) -> Level:
    """An attack that succeeds needs no other proof of its strength; one that fails does."""
    return protected if "recognisable" in (protected, plain) else "cannot tell"


def calibrate(judge: nn.Module, faces: Faces, seed: int = 0) -> dict[str, float]:
    """How alike people are to this judge: what a bundle keeps as `facts["verification"]`.

    `different_95`: the similarity that 95 % of pairs of two people stay under, so that what exceeds
    it would pass for the same person, as it would by mistake in one pair of twenty; `same_05`: the
    one that 95 % of pairs of one person's photographs exceed. Where it is less than `different_95`
    the judge confuses people. Give people whom the judge was not trained on: those whom it knows
    are easier to tell apart than a user is. Raises `DataError` without two people of two
    photographs.
    """
    rows = _with_two(faces.identities)
    order = permutation(len(rows), stream(seed, "calibrate")).numpy()[:PHOTOGRAPHS]
    rows = np.sort(rows[order])
    who = torch.from_numpy(faces.identities[rows])
    same = (who[:, None] == who[None, :]).triu(1)
    different = (who[:, None] != who[None, :]).triu(1)
    if not (bool(same.any()) and bool(different.any())):
        raise DataError(
            f"{len(np.unique(who))} people with two photographs or more: thresholds need two "
            "people at least. Give more faces."
        )
    similar = _similarities(judge, faces, rows)
    return {
        "different_95": float(np.quantile(similar[different].numpy(), 0.95)),
        "same_05": float(np.quantile(similar[same].numpy(), 0.05)),
        "photographs": len(rows),
    }


def threshold(facts: Mapping[str, Any]) -> float:
    """The similarity that passes for one person, as a bundle's maker measured it.

    Raises `BundleError` where there is none.
    """
    found = facts.get(FACT)
    value = found.get("different_95") if isinstance(found, Mapping) else None
    if not isinstance(value, int | float):
        raise BundleError(
            f"this bundle's facts hold no {FACT!r} with different_95, so no similarity can be "
            "called high. Make the bundle again: its maker calls "
            "facecrafter.paper.verify.calibrate."
        )
    return float(value)


def _with_two(identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the photographs of people of whom there are two or more."""
    people, counts = np.unique(identities[identities != NO_IDENTITY], return_counts=True)
    return np.flatnonzero(np.isin(identities, people[counts >= 2]))


def _similarities(judge: nn.Module, faces: Faces, rows: NDArray[np.int64]) -> Scores | Tensor:
    device = next(judge.parameters()).device
    with torch.no_grad():
        pieces: list[Embeddings] = [
            normalize(cast("Any", judge).embed(faces.images(some).to(device)).double()).cpu()
            for some in np.array_split(rows, max(len(rows) // 128, 1))
        ]
    directions = torch.cat(pieces)
    return directions @ directions.T
