"""Attack one's own protected photographs and say what is still to be seen of each.

Thresholds are not chosen but measured: `calibrate` looks at how alike two people, and two
photographs of one person, are to the judge; the bundle carries what it found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from facecrafter.errors import BundleError, DataError
from facecrafter.metrics.identity import feature_similarity
from facecrafter.metrics.image import ssim
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.judge import Judge
from facecrafter.paper.threats import Threat, threats
from facecrafter.randomness import child, permutation, stream
from facecrafter.types import Embeddings, Features, Images, Scores

FACT = "verification"  # where a bundle's facts hold the calibration
PHOTOGRAPHS = 2000  # compared with each other at most: two million pairs; ours

Thresholds = tuple[float, float]  # different_95, same_05
Level = Literal["hidden", "cannot tell", "at risk", "recognisable"]
LEVELS: tuple[Level, ...] = ("hidden", "cannot tell", "at risk", "recognisable")  # the worst last
_UNTOLD = "the attacks do not break even a plain feature, so that they fail says nothing"
_MEANING: dict[Level, str] = {
    "hidden": "the strongest attack got no closer to the person than two different people usually "
    "are",
    "cannot tell": _UNTOLD,
    "at risk": "the strongest attack got closer to the person than two different people usually "
    "are",
    "recognisable": "the strongest attack got as close to the person as two photographs of one "
    "person usually are",
}
_CONFUSED: dict[Level, str] = {
    "hidden": "the strongest attack got less close to the person than two photographs of one "
    "person usually are",
    "cannot tell": _UNTOLD,
    "at risk": "the strongest attack got as close to the person as some photographs of one person, "
    "and as some of two people, are",
    "recognisable": "the strongest attack got closer to the person than two different people "
    "usually are",
}


@dataclass(frozen=True)
class Verdict:
    """What the strongest attack on one photograph got, protected and plain."""

    level: Level
    similarity: float  # of identity: cosine of the judge's penultimate layers, -1 to 1
    ssim: float  # up to 1
    threat: str  # the attack that it comes from
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


@dataclass(frozen=True, eq=False)
class _Seen:
    """The strongest attack on each photograph."""

    faces: Images
    similarity: Scores
    ssim: Scores
    attack: Tensor  # its number


def verify(
    images: Images,
    bundle: Bundle,
    defence: AbstractDefence,
    rng: Generator,
    shadows: Sequence[nn.Module] = (),
    attacks: Sequence[Threat] = (),
) -> Verification:
    """Protect photographs, attack what would be sent, and judge the reconstructions.

    The plain features are attacked likewise: an attack that cannot break those proves nothing.
    `images`: (batch, 3, height, width), RGB, 0 to 1, of the bundle's size. `shadows`: decoders
    besides the bundle's own. `attacks`: by default white-box, black-box and hybrid. Raises
    `BundleError` where the bundle lacks a network or the calibration, and what the defence raises.
    """
    require_images(images, bundle.facts.get("size"))
    limits = thresholds(bundle.facts)
    judge = bundle.need("judge")
    target, prior = fold_batch_norms(bundle.need("target")), fold_batch_norms(bundle.need("prior"))
    decoders = (bundle.need("decoder"), *shadows)
    offline = Offline(target.encode, prior, bundle.amortiser, bundle.critic, bundle.surrogate)
    view = AttackerView(
        target.encode,
        encoder=target.encode,
        prior=prior,
        amortiser=bundle.amortiser,
        shadows=decoders,
    )
    device = next(target.parameters()).device
    originals = images.to(device)
    protector = defence.fit(offline, child(rng, "fit")).to(device)
    release = protector(originals, child(rng, "protect"))
    chosen = tuple(attacks) or threats(decoders=len(decoders))
    with torch.no_grad():
        raw = target.encode(originals)
    protected, plain = (
        _strongest([_attacked(threat, view, each, rng) for threat in chosen], judge, originals)
        for each in (release.in_order_of_images().detach(), raw)
    )
    verdicts = tuple(
        Verdict(_judged(now, before, limits), now, like, chosen[number].name, before, alike)
        for now, like, number, before, alike in zip(
            protected.similarity.tolist(),
            protected.ssim.tolist(),
            protected.attack.tolist(),
            plain.similarity.tolist(),
            plain.ssim.tolist(),
            strict=True,
        )
    )
    return Verification(verdicts, protected.faces.cpu())


def worst(verdicts: Sequence[Verdict]) -> Level:
    """The level of the worst photograph."""
    return LEVELS[max(LEVELS.index(verdict.level) for verdict in verdicts)]


def calibrate(judge: nn.Module, faces: Faces, seed: int = 0) -> dict[str, float]:
    """How alike people are to this judge: what a bundle keeps as `facts["verification"]`.

    `different_95`: the similarity that 95 % of pairs of two people stay under; `same_05`: the one
    that 95 % of pairs of one person's photographs exceed. Give people whom the judge was not
    trained on: those whom it knows are easier to tell apart than a user is. Raises `DataError`
    without two people of two photographs.
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


def level(similarity: float, limits: Thresholds) -> Level:
    """Hidden below both thresholds, recognisable above both, between them at risk.

    Where a judge confuses people, the two thresholds change places, and what lies between them is
    still what it cannot tell; `meaning` says it in words.
    """
    low, high = sorted(limits)
    if similarity >= high:
        return "recognisable"
    return "hidden" if similarity <= low else "at risk"


def meaning(found: Level, limits: Thresholds) -> str:
    """A level in words."""
    return (_CONFUSED if confuses(limits) else _MEANING)[found]


def confuses(limits: Thresholds) -> bool:
    """Whether to this judge some pairs of two people are more alike than some of one person."""
    different, same = limits
    return same < different


def _judged(protected: float, plain: float, limits: Thresholds) -> Level:
    """An attack that succeeds needs no other proof of its strength; one that fails does."""
    found = level(protected, limits)
    validated = "recognisable" in (found, level(plain, limits))
    return found if validated else "cannot tell"


def _strongest(faces: Sequence[Images], judge: Judge, originals: Images) -> _Seen:
    """Of several attacks' reconstructions the one that is most alike, photograph by photograph."""
    similar = torch.stack([feature_similarity(judge, each, originals) for each in faces])
    chosen = similar.argmax(dim=0)
    best = torch.stack(list(faces))[chosen, torch.arange(len(originals), device=chosen.device)]
    return _Seen(best, similar.amax(dim=0), ssim(best, originals), chosen)


def _attacked(threat: Threat, view: AttackerView, features: Features, rng: Generator) -> Images:
    if threat.sees == "black-box":
        view = AttackerView(view.query, shadows=view.shadows)
    inverter = threat.attack.fit(view, child(rng, "attack", threat.name)).to(features.device)
    return inverter(features).detach().clamp(0, 1)


def thresholds(facts: Mapping[str, Any]) -> Thresholds:
    """Those that a bundle's maker measured. Raises `BundleError` where there are none."""
    found = facts.get(FACT)
    values = (
        [cast("Mapping[str, object]", found).get(name) for name in ("different_95", "same_05")]
        if isinstance(found, Mapping)
        else []
    )
    if not values or not all(isinstance(value, int | float) for value in values):
        raise BundleError(
            f"this bundle's facts hold no {FACT!r} with different_95 and same_05, so no "
            "similarity can be called low or high. Make the bundle again: its maker calls "
            "facecrafter.paper.verify.calibrate."
        )
    different, same = cast("list[float]", values)
    return float(different), float(same)


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
