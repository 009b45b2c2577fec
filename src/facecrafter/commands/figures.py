"""How good is a trained network? The figures that training prints and a model card states."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.defences.base import Encode
from facecrafter.inversion import Descent
from facecrafter.metrics.image import ssim
from facecrafter.metrics.utility import Utility, mean_auc
from facecrafter.models.prior import Prior

BATCH = 256  # photographs at a time; of no influence on a figure
SEVERAL = (
    21  # photographs of each class of an attribute that is scored; ours: else its AUC is noise
)
SEARCH, SEARCHED = Descent(100, 0.2), 256  # a prior's faces for so many photographs; ours


def utility(target: Callable[[Tensor], Tensor], faces: Faces, device: torch.device) -> Utility:
    """Mean AUC of the attributes, over photographs whose attributes are known."""
    known = faces.take(faces.known())
    logits = in_batches(target, known, device)
    truth = torch.from_numpy(np.ascontiguousarray(known.attributes))
    names = known.attribute_names
    rarer = torch.minimum((truth > 0.5).sum(0), (truth <= 0.5).sum(0))
    return mean_auc(logits, truth, names, SEVERAL if int(rarer.max()) >= SEVERAL else 1)


def judge_accuracy(judge: nn.Module, train: Faces, faces: Faces, device: torch.device) -> float:
    """Share of clean photographs whose person the judge names; 0 to 1."""
    labels = np.searchsorted(np.unique(train.identities), faces.identities)
    named = in_batches(judge, faces, device).argmax(dim=1)
    return float((named == torch.from_numpy(labels)).double().mean())


def decoder_ssim(decoder: nn.Module, encode: Encode, faces: Faces, device: torch.device) -> float:
    """Mean SSIM of what the decoder reads in plain features; 0 to 1."""

    def score(images: Tensor) -> Tensor:
        return ssim(decoder(encode(images)), images)

    return float(in_batches(score, faces, device).mean())


def amortiser_ssim(
    amortiser: nn.Module, prior: nn.Module, encode: Encode, faces: Faces, device: torch.device
) -> float:
    """Mean SSIM of the face that the amortiser guesses behind a plain feature; 0 to 1."""

    def score(images: Tensor) -> Tensor:
        return ssim(prior(amortiser(encode(images))), images)

    return float(in_batches(score, faces, device).mean())


def prior_ssim(prior: Prior, encode: Encode, faces: Faces, device: torch.device) -> float:
    """Mean SSIM of the prior's face that explains a plain feature best; 0 to 1.

    Of `SEARCHED` photographs, by a search from z = 0: how much of a face the prior can draw.
    """

    def score(images: Tensor) -> Tensor:
        start = torch.zeros(len(images), prior.latent_dim, device=images.device)
        found = SEARCH.run(lambda z: encode(prior(z)), encode(images), start)
        return ssim(prior(found.latents), images)

    some = faces.take(np.linspace(0, len(faces) - 1, min(SEARCHED, len(faces))).astype(np.int64))
    return float(in_batches(score, some, device).mean())


def in_batches(answer: Callable[[Tensor], Tensor], faces: Faces, device: torch.device) -> Tensor:
    """`answer` for all photographs, on the CPU."""
    with torch.no_grad():
        pieces = [
            answer(faces.images(range(i, min(i + BATCH, len(faces)))).to(device)).cpu()
            for i in range(0, len(faces), BATCH)
        ]
    return torch.cat(pieces)
