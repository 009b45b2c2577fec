"""The judge: whose face is this? Stands for the evaluating network of VI-A."""

from collections.abc import Sequence

from facecrafter.models.part import AbstractPart
from facecrafter.models.split import ResNet
from facecrafter.types import Embeddings, Images, Logits


class Judge(AbstractPart):
    """Names a person among `people`; `embed` gives the penultimate layer that FSIM compares."""

    def __init__(
        self,
        people: int,
        depth: int = 152,  # paper, VI-A (CelebA)
        widths: Sequence[int] = (64, 128, 256, 512),
    ) -> None:
        super().__init__()
        self.arguments = {"people": people, "depth": depth, "widths": tuple(widths)}
        self.body = ResNet(people, depth, widths)

    def embed(self, images: Images) -> Embeddings:
        """Penultimate layer, (batch, embedding)."""
        return self.body.embed(self.body.encode(images))

    def forward(self, images: Images) -> Logits:
        return self.body(images)
