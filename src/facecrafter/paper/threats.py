"""The paper's three attackers by name (VI-A): white-box, black-box, hybrid."""

from dataclasses import dataclass, field

from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.paper.scenes import Sees

RESTARTS = 3  # ours; paper: 1


@dataclass(frozen=True)
class Threat:
    """An attack, and what its attacker may read."""

    name: str
    attack: AbstractAttack
    sees: Sees = field(default="white-box")


def threats(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """All three. `decoders` is how many shadow decoders the attacker has."""
    decoder = ShadowDecoder(restarts=decoders)
    return (
        Threat("white-box", LatentSearch(restarts=restarts)),
        Threat("black-box", decoder, "black-box"),
        Threat("hybrid", PixelSearch(decoder, restarts=restarts)),
    )


THREATS = threats()
