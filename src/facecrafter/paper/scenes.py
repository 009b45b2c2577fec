"""A scene: whose faces are protected, by which networks, and what each attacker may read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from facecrafter.attacks.base import AttackerView
from facecrafter.attacks.other_prior import ManyPriors
from facecrafter.bundle import Bundle, load
from facecrafter.data.faces import Faces, Splits
from facecrafter.data.lfw import lfw
from facecrafter.defences.base import Offline
from facecrafter.errors import DataError, SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import AbstractPart
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel
from facecrafter.models.surrogate import Surrogate
from facecrafter.randomness import normal, permutation, stream
from facecrafter.training import basis
from facecrafter.training.adoption import generator
from facecrafter.types import Images

Sees = Literal["white-box", "black-box"]

MINIMUM = 21  # photographs of each class, "more than 20"; ours: a rarer attribute's AUC is noise
BATCH = 64  # faces protected together; ours (paper: one incoming batch)
FEW = 32  # faces of one minibatch of the authors' critic
MINIMUM_OF_FEW = 4  # ours: as `MINIMUM`, for so few
PIECE = 256  # images passed through a network at once; of no influence on the result


@dataclass(frozen=True, eq=False)
class Scene:
    """What is measured on. Everything that an outcome rests on is in `digest`."""

    name: str
    bundle: Bundle  # with target, prior and judge
    private_test: Faces
    labels: NDArray[np.int64]  # the judge's class of each private test face
    shadows: tuple[AbstractPart, ...] = ()  # decoders of the attacker, trained beforehand
    batch: int = BATCH
    minimum: int = MINIMUM
    # what an adaptive attacker has protected by the device to learn from; None: there is none
    public: Faces | None = None
    # what defences learn from that change Enc; no other sees them, nor an attacker but the decoder
    # that a defence was trained against
    private_train: Faces | None = None
    # generators of an attacker who has others than the device's (A2), by name
    priors: Mapping[str, Prior] = field(default_factory=dict[str, Prior])

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.private_test),) or not len(self.private_test):
            raise DataError(
                f"{len(self.labels)} labels for {len(self.private_test)} private test faces: give "
                "one for each, and one face at least."
            )
        if not (self.batch >= 1 and self.minimum >= 1):
            raise SettingError(f"batch={self.batch}, minimum={self.minimum}: give 1 or more.")

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.target.parameters()).device

    @cached_property
    def target(self) -> AbstractSplitModel:
        """The cloud's network without batch norms: searches pass through it a thousand times."""
        return fold_batch_norms(self.bundle.need("target"))

    @cached_property
    def prior(self) -> Prior:
        """G, likewise."""
        return fold_batch_norms(self.bundle.need("prior"))

    @cached_property
    def surrogate(self) -> Surrogate | None:
        """Likewise, if the bundle has one."""
        found = self.bundle.surrogate
        return None if found is None else fold_batch_norms(found)

    @cached_property
    def unjudged(self) -> str:
        """SHA-256 of what a release and an attack on it read: faces, batches, networks."""
        found = hashlib.sha256(f"{self.name} {self.batch}".encode())
        for rows in self.batches():
            found.update((self.private_test.images(rows) * 255).round().byte().numpy().tobytes())
        own = self.bundle
        held = (own.target, own.prior, own.amortiser, own.critic, own.surrogate)
        for network in (*held, *self.shadows):
            found.update(content(network))
        return found.hexdigest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of that, of the judge, and of who is who and has which attributes.

        Of the bundle only the networks count, not its card and its facts: a better card does not
        ask for another measurement.
        """
        told = f"{self.unjudged} {self.minimum} {self.private_test.attribute_names}"
        found = hashlib.sha256(told.encode())
        for values in (self.labels, self.private_test.identities, self.private_test.attributes):
            found.update(np.ascontiguousarray(values).tobytes())
        found.update(content(self.bundle.judge))
        return found.hexdigest()

    @cached_property
    def taught(self) -> str:
        """SHA-256 of the public faces, which only adaptive attacks rest on; "" for none."""
        return "" if self.public is None else basis.digest(self.public)

    def offline(self) -> Offline:
        """What the device was handed."""
        bundle = self.bundle
        return Offline(
            self.target.encode, self.prior, bundle.amortiser, bundle.critic, self.surrogate
        )

    def view(self, sees: Sees) -> AttackerView:
        """What an attacker reads: a black-box one asks the encoder, a white-box one has it."""
        # No public faces: what the attacker learns from them is in the decoders. A recipe that
        # wants more decoders is refused, rather than trained anew for every batch.
        told = self.target.head
        held = {name: fold_batch_norms(prior) for name, prior in self.priors.items()}
        encode, shadows = self.target.encode, self.shadows
        black = ManyPriors(encode, shadows=shadows, answers=told, priors=held)
        if sees == "black-box":
            return black
        amortiser = self.bundle.amortiser
        return replace(black, encoder=self.target.encode, prior=self.prior, amortiser=amortiser)

    def batches(self) -> list[NDArray[np.int64]]:
        """Rows of the test faces that are protected together.

        In a fixed random order, for photographs lie person by person, and of nearly equal sizes,
        so that no last batch of three has another protection than the rest.
        """
        order = permutation(len(self.private_test), stream(0, "batches", self.name)).numpy()
        count = -(-len(order) // self.batch)
        return [np.sort(rows) for rows in np.array_split(order, count)]

    def images(self, rows: Sequence[int] | NDArray[np.int64]) -> Images:
        """Private test faces on the device of the networks."""
        return self.private_test.images(np.asarray(rows)).to(self.device)

    def average(self, count: int, purpose: str = "average") -> Images:
        """Average faces G(z_r), on the CPU."""
        like = torch.zeros(0, device=self.device)
        rng = stream(0, "scene", purpose)
        latents = normal(count, self.prior.latent_dim, rng=rng, like=like)
        with torch.no_grad():
            return torch.cat([self.prior(piece).cpu() for piece in latents.split(PIECE)])

    def some(self, count: int, minimum: int | None = None) -> "Scene":
        """The same scene with `count` of the faces, chosen at random; its name tells how many.

        `minimum`: photographs of each class that a scored attribute needs, where few are too few.
        """
        if not 1 <= count <= len(self.private_test):
            raise SettingError(f"{count} of {len(self.private_test)} faces: ask for 1 or more.")
        order = permutation(len(self.private_test), stream(0, "some", self.name))
        rows = np.sort(order[:count].numpy())
        name, faces = f"{self.name}-{count}", self.private_test.take(rows)
        least = self.minimum if minimum is None else minimum
        labels = self.labels[rows]
        return replace(self, name=name, private_test=faces, labels=labels, minimum=least)


def lfw64(
    root: Path,  # the folder that holds lfw-deepfunneled
    bundle: Path,
    shadows: Sequence[Path] = (),  # bundles that hold one more decoder each
    cache: Path | None = None,  # of decoded crops
    device: str = "cpu",
    priors: Path | None = None,  # folder of training folders of further priors, each by its name
    name: str = "lfw64-deployment",  # another one for an encoder of another kind
) -> Scene:
    """LFW at 64 x 64 pixels in the deployment scenario, networks from a bundle.

    The attacker's decoders are the bundle's own and those of `shadows`. Raises `DataError`,
    `BundleError`.
    """
    return deployment(name, lfw(root, 64, cache), bundle, shadows, device, priors)


def deployment(
    name: str,
    splits: Splits,
    bundle: Path,
    shadows: Sequence[Path] = (),
    device: str = "cpu",
    priors: Path | None = None,
) -> Scene:
    """Faces of any data set in the deployment scenario; the other arguments as in `lfw64`.

    Raises `DataError`, `BundleError`.
    """
    loaded = load(bundle, device)
    more = [load(folder, device).need("decoder") for folder in shadows]
    return Scene(
        name,
        loaded,
        splits.private_test,
        judge_labels(splits.private_train, splits.private_test),
        (loaded.need("decoder"), *more),
        public=splits.public,
        private_train=splits.private_train,
        priors={} if priors is None else further(priors, device),
    )


def further(folder: Path, device: str = "cpu") -> dict[str, Prior]:
    """Priors out of the training folders in a folder, by their names. Raises `DataError`.

    One that `facecrafter adopt` wrote counts, too.
    """
    if not folder.is_dir():
        raise DataError(f"{folder.name} is no folder: give one that holds training folders.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return {path.name: generator(path).to(device) for path in inside}


def lfw64_batch(
    root: Path,
    bundle: Path,
    shadows: Sequence[Path] = (),
    cache: Path | None = None,
    device: str = "cpu",
) -> Scene:
    """`lfw64` with as few faces as the authors' settings can be run on; arguments as there."""
    return lfw64(root, bundle, shadows, cache, device).some(FEW, MINIMUM_OF_FEW)


def content(network: AbstractPart | None) -> bytes:
    """SHA-256 of a network's class, of what it was made with (such as its cut), and its weights."""
    found = hashlib.sha256(type(network).__name__.encode())
    if network is not None:
        found.update(repr(sorted(network.arguments.items())).encode())
        for name, value in network.state_dict().items():
            found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            found.update(value.detach().cpu().numpy().tobytes())
    return found.digest()


def judge_labels(train: Faces, test: Faces) -> NDArray[np.int64]:
    """Places of the test faces' people in `numpy.unique(train.identities)`, the judge's classes.

    Raises `DataError` for a person of whom the judge has seen nothing.
    """
    people = np.unique(train.identities)
    places = np.searchsorted(people, test.identities)
    stranger = people[np.minimum(places, len(people) - 1)] != test.identities
    if stranger.any():
        raise DataError(
            f"the judge was not trained on person {test.identities[stranger][0]} of the test "
            "faces: such a face could never be recognised and would look private. Leave it out."
        )
    return places.astype(np.int64)
