"""CEM: Gaussian noise, and a penalty on how far features spread in the components of a mixture.

Xia et al., "Theoretical Insights in Model Inversion Robustness and Conditional Entropy Maximization
for Collaborative Inference Systems", CVPR 2025. No code of theirs. No decoder's mean squared error
can be below exp(2 H(X | sent) / d) / (2 pi e), d values of a photograph. Of features of a mixture,
sent with normal noise, each value tells at most log(1 + variance / noise's) / 2, variances being
those within components, and all together which component it is; so the penalty bounds H(X | sent)
from below. Their components are clusters of the features of each class, found anew each epoch. The
questions here divide photographs into no classes, so it is clusters of all, and running means.

No attacker is in the penalty: the decoder of this game learns from what is released, and steers
nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log1p

import torch
from torch import Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.defences.game import Batch
from facecrafter.defences.noisy import UNIT, AbstractNoisyGame, Noisy, fresh_decoder
from facecrafter.errors import SettingError
from facecrafter.models.decoder import Decoder
from facecrafter.models.split import AbstractSplitModel
from facecrafter.training.settings import require_counts, require_not_negative
from facecrafter.types import Features

_KEPT = 0.95  # of what the mixture remembers, at each batch; ours
_LEAST = 0.1  # of an even share: a component with less is begun anew; ours


class Mixture(nn.Module):
    """Components of features: share, centre and variance of each, running means over batches.

    Buffers alone, so that a checkpoint has them and no optimiser does.
    """

    def __init__(self, components: int, values: int) -> None:
        super().__init__()
        self.register_buffer("shares", torch.zeros(components))  # 0 to 1; all 0: nothing seen yet
        self.register_buffer("sums", torch.zeros(components, values))  # share x centre
        self.register_buffer("spreads", torch.zeros(components))  # share x variance
        self.shares: Tensor
        self.sums: Tensor
        self.spreads: Tensor

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Share and variance of each component, and learn from these rows, (rows, values).

        A variance is that of a value, the mean over values, about the component's centre; of those
        that the batch has members of, its slope is that of these members. Evaluating learns
        nothing.
        """
        if not bool(self.shares.any()):
            self._begin(rows.detach())
        centres = self.sums / self.shares[:, None]
        with torch.no_grad():
            member = nn.functional.one_hot(
                torch.cdist(rows, centres).argmin(dim=1), len(centres)
            ).to(rows)
        apart = (rows - member @ centres).square().mean(dim=1)
        counts = member.sum(dim=0)
        batch = (member.T @ apart) / counts.clamp(min=1)
        if self.training:
            self._learn(rows.detach(), member, apart.detach())
        known = self.spreads / self.shares
        return self.shares.clone(), known + batch - batch.detach()

    def _begin(self, rows: Tensor) -> None:
        """Each of the first rows is a centre; the variance is that of all."""
        even = 1 / len(self.shares)
        self.shares.fill_(even)
        self.sums.copy_(even * rows[: len(self.shares)])
        self.spreads.fill_(even * rows.var(dim=0, correction=0).mean())

    def _learn(self, rows: Tensor, member: Tensor, apart: Tensor) -> None:
        for kept, new in (
            (self.shares, member.mean(dim=0)),
            (self.sums, member.T @ rows / len(rows)),
            (self.spreads, member.T @ apart / len(rows)),
        ):
            kept.mul_(_KEPT).add_(new, alpha=1 - _KEPT)
        rarest, even = self.shares.argmin(), 1 / len(self.shares)
        # Enc moves on while it learns, and leaves centres behind
        if bool(self.shares[rarest] < _LEAST * even):
            self.shares[rarest] = even
            self.sums[rarest] = even * rows[apart.argmax()]
            self.spreads[rarest] = even * apart.mean()
            total = self.shares.sum()
            for kept in (self.shares, self.sums, self.spreads):
                kept.div_(total)


class Spread(Noisy):
    """Enc and f with noise between them, a decoder, and the mixture that features are taken for."""

    def __init__(
        self,
        target: AbstractSplitModel,
        decoder: Decoder,
        deviation: float,
        mixture: Mixture,
        enough: float,
    ) -> None:
        super().__init__(target, decoder, deviation)
        self.mixture, self.enough = mixture, enough

    def attackers(self) -> Mapping[str, nn.Module]:
        # the mixture is nobody's to train: it is here so that it is moved and checkpointed
        return {**super().attackers(), "mixture": self.mixture}

    def privacy(self, features: Features, batch: Batch) -> Tensor:
        raw = self.without_noise(features)
        with torch.autocast(raw.device.type, enabled=False):
            shares, variances = self.mixture(raw.flatten(1))
            told = (variances / self.deviation**2).log1p() / 2
            return (shares * (told - log1p(self.enough) / 2).relu()).sum() / UNIT


@dataclass(frozen=True)
class CEM(AbstractNoisyGame):
    """CEM. `play` returns Enc with its f, and a decoder for what it releases.

    The device sends Enc(X) + `deviation` x standard normal noise. The loss is (1 - `weight`)
    cross-entropy + `weight` times a tenth of what is sent tells of the photograph, at most, beside
    which component it is of and what is `enough`: nats, the mean over the values of a feature.
    Raises `SettingError`.
    """

    components: int = 16  # of the mixture, clusters of features; authors' code: 5 a class; ours
    enough: float = 0.125  # variance in units of the noise's that costs nothing; authors' code

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(self, "components")
        require_not_negative(self, "enough")
        if self.components > self.batch:
            raise SettingError(
                f"components={self.components} of CEM: the first batch, of {self.batch}, begins "
                "them, so give no more than that."
            )

    def players(self, target: AbstractSplitModel, faces: Faces) -> Spread:
        place = next(target.parameters()).device
        decoder = fresh_decoder(target, faces, self.width)
        with torch.no_grad():
            values = target.encode(faces.images([0]).to(place)).numel()
        mixture = Mixture(self.components, values)
        return Spread(target, decoder, self.deviation, mixture, self.enough)
