"""The demo's experiment: protect some faces, attack both kinds of features, measure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from facecrafter.commands.files import write
from facecrafter.commands.prepared import ATTACKS, AttackName, Prepared
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.plain import Plain
from facecrafter.metrics.identity import feature_similarity
from facecrafter.metrics.image import ssim
from facecrafter.paper.provenance import code
from facecrafter.progress import progress
from facecrafter.randomness import stream
from facecrafter.types import Images, Scores

RELEASES = ("plain", "crafted")  # crafted: protected, by whatever defence


@dataclass(frozen=True, eq=False)
class Seen:
    """What one attacker reconstructs from one kind of feature."""

    faces: Images
    ssim: Scores  # with the original; 0 to 1, lower is more private
    fsim: Scores  # the same for identity; -1 to 1, lower is more private


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that the report shows, on the CPU."""

    originals: Images
    deviation: Scores  # |F - Enc(X)| / |Enc(X)| of the protected features
    seen: Mapping[tuple[str, AttackName], Seen]  # by release and attack


def findings(
    ready: Prepared, images: Images, recipe: AbstractDefence, seed: int, cache: Path
) -> Findings:
    """Measure, or take up what was measured before with the very same inputs."""
    path = cache / f"{_key(ready, images, recipe, seed)}.safetensors"
    tensors = _cached(path)
    if tensors is None:
        tensors = _reconstructions(ready, images, recipe, seed)
        write(path, save({name: value.contiguous() for name, value in tensors.items()}))
    judge = ready.bundle.need("judge")
    seen = {}
    for release in RELEASES:
        for name in ATTACKS:
            faces = tensors[f"{release}/{name}"]
            similar = feature_similarity(judge, faces.to(ready.device), images.to(ready.device))
            seen[release, name] = Seen(faces, ssim(faces, images), similar.cpu())
    return Findings(images, tensors["deviation"], seen)


def _reconstructions(
    ready: Prepared, images: Images, recipe: AbstractDefence, seed: int
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    defences: dict[str, AbstractDefence] = {"plain": Plain(), "crafted": recipe}
    with progress("protecting and attacking", 1 + 2 * len(ATTACKS)) as advance:
        raw = ready.encode(images.to(ready.device)).detach()
        for release, defence in defences.items():
            protector = defence.fit(ready.offline(), stream(seed, "demo", "fit"))
            released = protector(images.to(ready.device), stream(seed, "demo", "craft"))
            features = released.in_order_of_images().detach()
            if release == "crafted":
                moved = (features - raw).flatten(1).norm(dim=1)
                found["deviation"] = (moved / raw.flatten(1).norm(dim=1)).cpu()
                advance()
            for name in ATTACKS:
                inverter = ready.attack(name).fit(ready.view(), stream(seed, "demo", name))
                found[f"{release}/{name}"] = inverter(features).detach().cpu()
                advance(1, f"{name} on {release} features")
    return found


def _cached(path: Path) -> dict[str, Tensor] | None:
    """What was kept, if it is whole."""
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError):
        return None


def _key(ready: Prepared, images: Images, recipe: AbstractDefence, seed: int) -> str:
    """Names the inputs: photographs, networks, recipes, seed and this very code."""
    digest = hashlib.sha256(images.numpy().tobytes())
    recipes = [repr(recipe), *(repr(ready.attack(name)) for name in ATTACKS)]
    networks = [bundle.digest for bundle in (ready.bundle, *ready.shadows)]
    made = (*networks, torch.__version__, ready.device.type, code())
    for part in (*made, *recipes, str(seed)):
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()[:20]
