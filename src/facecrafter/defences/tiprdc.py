"""TIPRDC: Enc against a network that learns to name people, for a task unknown (Table III).

Li et al., "TIPRDC: Task-Independent Privacy-Respecting Data Crowdsourcing Framework for Deep
Learning with Anonymized Intermediate Representations", KDD 2020; the private attribute is who is
shown, as in the paper (App. A). No code of theirs. The classifier C names the people of X_train by
their features, and Enc hinders it. What is to be kept is no task's but what photograph and feature
have in common besides the person: the network T is told who is shown, and learns an estimate of
Jensen-Shannon type that rises with it (Hjelm et al., "Deep InfoMax", ICLR 2019, Eq. 4). Nobody in
the game inverts features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from facecrafter.data.faces import NO_IDENTITY, Faces
from facecrafter.defences.game import AbstractGame, Batch
from facecrafter.defences.taskless import AbstractTaskless, without_head
from facecrafter.errors import DataError
from facecrafter.models.split import AbstractSplitModel
from facecrafter.models.surrogate import Surrogate
from facecrafter.training.settings import require_counts
from facecrafter.types import Features, Images, Scores


class Estimator(nn.Module):
    """T: how likely a feature is that of a photograph, in one unbounded number for each pair.

    It is told whom the feature is of: what names the person does not help it.
    """

    def __init__(self, channels: int, people: int, width: int) -> None:
        super().__init__()
        self.seen = Surrogate(3, 4 * width, (width // 2, width, 2 * width, 2 * width))
        self.sent = Surrogate(channels, 4 * width, (width, 2 * width, 2 * width))
        self.pair = nn.Sequential(
            nn.Linear(8 * width + people, 4 * width), nn.ReLU(), nn.Linear(4 * width, 1)
        )

    def forward(self, images: Images, features: Features, labels: Tensor) -> tuple[Scores, Scores]:
        """Scores of the pairs that belong together, and of each feature with the next photograph.

        As in the authors' code, the next one of the batch stands for a photograph that is
        independent of the feature.
        """
        seen, sent = self.seen(2 * images - 1), self.sent(features)
        scores = [
            self.pair(torch.cat((one, sent, labels.to(sent)), dim=1)).flatten()
            for one in (seen, seen.roll(-1, 0))
        ]
        return scores[0], scores[1]


class Named(AbstractTaskless):
    """Enc; C and T."""

    def __init__(
        self, target: AbstractSplitModel, classifier: Surrogate, estimator: Estimator
    ) -> None:
        self.target = without_head(target)
        self.classifier, self.estimator = classifier, estimator

    def attackers(self) -> Mapping[str, nn.Module]:
        return {"classifier": self.classifier, "estimator": self.estimator}

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        """-CE, for each photograph log(people) at most: there C knows nothing of it.

        Without a bound, it pays most to have C err surely, which C unlearns in a step.
        """
        found = cross_entropy(self._named(features), batch.labels, reduction="none")
        return -found.clamp(max=log(batch.labels.shape[1])).mean()

    def utility(self, features: Features, batch: Batch) -> Tensor:
        return -self.information(features, batch)

    def attack(self, features: Features, batch: Batch) -> Tensor:
        """Of C its cross-entropy; T learns with it, and raises its bound."""
        found = cross_entropy(self._named(features), batch.labels)
        return found - self.information(features, batch)

    def information(self, features: Features, batch: Batch) -> Tensor:
        """What T can tell of pairs: 0 at most, and -2 log 2 where it cannot tell them.

        It rises with I(Enc(X), person; X).
        """
        together, apart = self.estimator(batch.images, features, batch.labels)
        return -softplus(-together.float()).mean() - softplus(apart.float()).mean()

    def _named(self, features: Features) -> Tensor:
        return self.classifier(features).float()


@dataclass(frozen=True)
class Tiprdc(AbstractGame[Named]):
    """TIPRDC. `play` returns Enc without any f, which the cloud trains afterwards, with C and T.

    `weight` is the paper's lambda, 0.1, 0.5 or 0.8: (1 - lambda) times the bound, 0 to 2 log 2 in
    size, and lambda times the cross-entropy, 0 to log(people). Raises `SettingError`.
    """

    widths: tuple[int, int, int] = (96, 128, 192)  # of C; ours, as Surrogate's
    width: int = 64  # of T; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "widths")
        require_counts(self, "width", least=2)  # it is halved

    def play(
        self,
        target: AbstractSplitModel,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Named:
        """`faces`: X_train, of known people; attributes are not looked at. Else as any game.

        Raises `DataError` where somebody is not known, or where all photographs show one person.
        """
        return super().play(target, by_person(faces), seed, folder, device)

    def players(self, target: AbstractSplitModel, faces: Faces) -> Named:
        """`faces`: as `by_person` gives them."""
        place = next(target.parameters()).device
        with torch.no_grad():
            channels = target.eval().encode(faces.images([0]).to(place)).shape[1]
        people = len(faces.attribute_names)
        classifier = Surrogate(channels, people, self.widths)
        return Named(target, classifier, Estimator(channels, people, self.width))


def by_person(faces: Faces) -> Faces:
    """The same photographs, of which nothing is asked but who is shown: an attribute a person.

    Raises `DataError` where somebody is not known, or where all photographs show one person.
    """
    strangers = int((faces.identities == NO_IDENTITY).sum())
    if strangers:
        raise DataError(
            f"{strangers} of {len(faces)} photographs show nobody who is known, and Tiprdc hides "
            "who is shown: leave them out (faces.take)."
        )
    people, rows = np.unique(faces.identities, return_inverse=True)
    if len(people) < 2:
        raise DataError(
            f"{len(faces)} photographs show {len(people)} people: to hide who is shown takes two "
            "people at least, so give more faces."
        )
    shown = np.zeros((len(faces), len(people)), np.float32)
    shown[np.arange(len(faces)), rows] = 1
    return replace(faces, attributes=shown, attribute_names=tuple(str(one) for one in people))
