"""A bundle of untrained networks in a folder, and photographs to give to the command line."""

from pathlib import Path

import torch
from PIL import Image

from facecrafter import bundle as bundles
from facecrafter.data.synthetic import synthetic
from facecrafter.models.decoder import Decoder
from facecrafter.models.judge import Judge
from facecrafter.pictures import sheet
from helpers import SIZE, tiny_offline, tiny_prior, tiny_target

QUICK = ("--steps", "2")  # of a Crafter
STAND_IN = ("--defence", "stand-in", "--stand-in.search.steps", "2")


def make_bundle(folder: Path, seed: int = 1, without: str | None = None) -> Path:
    """All parts but one, untrained. `seed`: of the target's weights."""
    offline = tiny_offline()
    assert offline.amortiser is not None
    assert offline.critic is not None
    assert offline.surrogate is not None
    torch.manual_seed(5)
    parts = {
        "target": tiny_target(seed),
        "prior": tiny_prior(),
        "amortiser": offline.amortiser,
        "critic": offline.critic,
        "surrogate": offline.surrogate,
        "decoder": Decoder(8, 16, SIZE, 24),
        "judge": Judge(3, 18, (8, 8, 8, 8)),
    }
    facts = {
        "verification": {"different_95": 0.5, "same_05": 0.9},
        "size": SIZE,
        "attribute_names": [f"Attribute {i}" for i in range(5)],
    }
    parts = {name: part for name, part in parts.items() if name != without}
    bundles.save(folder, parts, facts, "untrained, for tests\n", half=False)
    return folder


def make_photographs(folder: Path, count: int = 4) -> Path:
    """Painted faces as files."""
    folder.mkdir(parents=True, exist_ok=True)
    images = synthetic(3, people=count, photographs=1, size=SIZE).images()
    for i, image in enumerate(images):
        sheet(image[None], columns=1).save(folder / f"person-{i}.png")
    return folder


def picture(seed: int = 0) -> Image.Image:
    """One painted face."""
    return sheet(synthetic(seed, people=1, photographs=1, size=SIZE).images(), columns=1)
