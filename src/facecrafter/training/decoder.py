"""Dec, the shadow decoder of the black-box attacker, on public pairs (Eq. 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from facecrafter.data.faces import Faces
from facecrafter.errors import SettingError
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.randomness import stream
from facecrafter.training.basis import Networks
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.training.settings import require_choice, require_counts, require_positive
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class DecoderTraining:
    """Train a decoder on (query(X'), X'). `fit` returns it in evaluation mode."""

    network: Literal["convolutional", "linear"] = "convolutional"  # linear: the authors'; ours
    width: int = 96  # of the convolutional one; ours
    epochs: int = 500  # paper, App. G
    batch: int = 64  # ours
    rate: float = 1e-3  # Adam; paper, App. G. Here the peak of one cycle
    bfloat16: bool = False  # mixed precision; ours

    def __post_init__(self) -> None:
        require_choice(self, "network", "convolutional", "linear")
        require_counts(self, "width", "epochs")
        require_counts(self, "batch", least=2)  # batch norms need two
        require_positive(self, "rate")

    def fit(
        self,
        query: Callable[[Images], Features],
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        unfolded: Networks | None = None,
    ) -> nn.Module:
        """`query` is all that a black-box attacker has of the device: images in, features out.

        `unfolded`: the "target" as it was before its batch norms were folded, for checkpoints to
        know it by; a fold has other last bits on another device.
        """
        torch.manual_seed(stream(seed, "decoder weights").initial_seed())
        with torch.no_grad():
            features = query(faces.images([0]).to(device))
        decoder = self._fresh(features, faces.size).to(device)
        _refuse_another_size(decoder, features, faces.size)
        optimiser = torch.optim.Adam(decoder.parameters(), self.rate)
        steps = len(faces) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "decoder", e))
            images = batch_of(faces, chosen, torch.device(device))
            images = varied(images, stream(seed, "decoder view", i), shift=2)
            with torch.no_grad():
                features = query(images)
            with mixed(images.device, self.bfloat16):
                again = decoder(features)
            loss = ((again.float() - images) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"squared error": loss.item()}

        recipe = f"{self} seed={seed} faces={len(faces)}"

        def samples() -> Images:
            decoder.eval()
            with torch.no_grad():
                images = faces.images(range(min(16, len(faces)))).to(device)
                both = torch.cat([images, decoder(query(images))])
            decoder.train()
            return both

        modules, optimisers = {"decoder": decoder}, {"adam": optimiser}
        rests_on = {"faces": faces, "target": query, **(unfolded or {})}
        run(Job("decoder", steps, step, modules, optimisers, recipe, rests_on, samples), folder)
        return decoder.eval()

    def _fresh(self, features: Features, size: int) -> nn.Module:
        _, channels, side, _ = features.shape
        if self.network == "linear":
            return LinearDecoder(channels, side, size)
        return Decoder(channels, side, size, self.width)


def _refuse_another_size(decoder: nn.Module, features: Features, size: int) -> None:
    """A decoder doubles its map until it is large enough: not every size is met."""
    with torch.no_grad():
        made = decoder.eval()(features).shape[2]
    decoder.train()
    if made != size:
        raise SettingError(
            f"a {type(decoder).__name__} makes images of {made} pixels from these features, not of "
            f"{size}: it only doubles sides. Give faces of {made} pixels."
        )
