"""The model card of a bundle: what it is, from what, how good, for what and not for what."""

from collections.abc import Mapping
from typing import Any

from facecrafter.commands.rendering import render

WHAT = {
    "target": "Enc (runs on the device) and f (runs in the cloud)",
    "prior": "G, a generator of average faces",
    "amortiser": "Amor, a first guess at the latent vector behind a feature",
    "decoder": "Dec, the black-box attacker's decoder",
    "judge": "measures whether a face is still recognised; no defence or attack uses it",
    "critic": "D, a critic between public faces and the prior's",
}


def card(name: str, facts: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """Markdown. `sizes`: how many numbers each network holds."""
    parts = [
        {
            "name": part,
            "what": WHAT[part],
            "numbers": f"{size:,}",
            "recipe": facts["recipes"].get(part) or "not recorded",
        }
        for part, size in sizes.items()
    ]
    return render("card.md", name=name, facts=facts, parts=parts)
