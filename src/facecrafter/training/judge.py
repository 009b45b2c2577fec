"""The judge, on private training photographs (VI-A): it measures; no defence or attack sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from facecrafter.data.faces import Faces
from facecrafter.models.judge import Judge
from facecrafter.randomness import stream
from facecrafter.training.batches import batch_of, degraded, varied
from facecrafter.training.loop import Job, Losses, one_cycle, run, set_rate, shuffled
from facecrafter.training.precision import mixed


@dataclass(frozen=True)
class JudgeTraining:
    """Train an identity network. `fit` returns it in evaluation mode."""

    depth: int = 152  # of the ResNet; paper, VI-A
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)  # of the stages; torchvision's
    epochs: int = 30  # ours
    batch: int = 32  # ours
    rate: float = 1e-3  # AdamW, at the peak of one cycle; ours
    decay: float = 5e-2  # AdamW; ours
    smoothing: float = 0.1  # of the labels; ours
    bfloat16: bool = False  # mixed precision; ours

    def fit(
        self,
        faces: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        start: Mapping[str, Tensor] | None = None,
    ) -> Judge:
        """People are numbered by `numpy.unique(faces.identities)`.

        `start`: weights of a ResNet of the same widths to start from; its last layer is not used.
        """
        people, labels = np.unique(faces.identities, return_inverse=True)
        torch.manual_seed(stream(seed, "judge weights").initial_seed())
        judge = Judge(len(people), self.depth, self.widths).to(device)
        if start is not None:
            body = {k: v for k, v in start.items() if not k.startswith("fc.")}
            judge.body.load_state_dict(body, strict=False)
        optimiser = torch.optim.AdamW(judge.parameters(), self.rate, weight_decay=self.decay)
        truth = torch.from_numpy(labels)
        steps = len(faces) // self.batch * self.epochs

        def step(i: int) -> Losses:
            set_rate(optimiser, self.rate * one_cycle(i, steps))
            chosen = shuffled(len(faces), self.batch, i, lambda e: stream(seed, "judge", e))
            images = batch_of(faces, chosen, torch.device(device))
            images = varied(images, stream(seed, "judge view", i), light=0.2)
            images = degraded(images, stream(seed, "judge degraded", i))
            with mixed(images.device, self.bfloat16):
                logits = judge(images)
            wanted = truth[chosen].to(device)
            loss = cross_entropy(logits.float(), wanted, label_smoothing=self.smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"cross-entropy": loss.item()}

        recipe = f"{self} seed={seed} faces={len(faces)} start={start is not None}"
        run(Job("judge", steps, step, {"model": judge}, {"adam": optimiser}, recipe), folder)
        return judge.eval()
