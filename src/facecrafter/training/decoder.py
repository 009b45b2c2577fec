"""Dec, the shadow decoder of the black-box attacker, on public pairs (Eq. 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from facecrafter.data.faces import Faces
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed
from facecrafter.types import Features, Images


@dataclass(frozen=True)
class DecoderTraining:
    """Train a decoder on (query(X'), X'). `fit` returns it in evaluation mode."""

    network: str = "convolutional"  # or "linear", the authors'; ours
    width: int = 96  # of the convolutional one; ours
    epochs: int = 500  # paper, App. G
    batch: int = 64  # ours
    rate: float = 1e-3  # Adam; paper, App. G. Here the peak of one cycle
    bfloat16: bool = False  # mixed precision; ours

    def fit(
        self,
        query: Callable[[Images], Features],
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> nn.Module:
        """`query` is all that a black-box attacker has of the device: images in, features out."""
        torch.manual_seed(stream(seed, "decoder weights").initial_seed())
        with torch.no_grad():
            _, channels, side, _ = query(faces.images([0]).to(device)).shape
        if self.network == "linear":
            decoder: nn.Module = LinearDecoder(channels, side, faces.size)
        else:
            decoder = Decoder(channels, side, faces.size, self.width)
        decoder.to(device)
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
                images = faces.images(range(16)).to(device)
                both = torch.cat([images, decoder(query(images))])
            decoder.train()
            return both

        modules, optimisers = {"decoder": decoder}, {"adam": optimiser}
        job = Job("decoder", steps, step, modules, optimisers, recipe, samples)
        run(job, folder)
        return decoder.eval()
