"""The model card of a bundle: what it is, from what, how good, for what and not for what."""

import ast
import re
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
    "surrogate": "tells the device what kind of questions the cloud answers; has nothing of f",
}

_RECIPE = re.compile(r"(\w+\(.*\)) seed=(\d+)(.*)")


def card(name: str, facts: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """Markdown. `sizes`: how many numbers each network holds."""
    parts = [
        {
            "name": part,
            "what": WHAT[part],
            "numbers": f"{size:,}",
            "recipe": facts["recipes"].get(part) or "not recorded",
            "command": timed(part, facts),
        }
        for part, size in sizes.items()
    ]
    warm = re.search(r"\bsteps=0\b", facts["recipes"].get("prior", "")) is not None
    started = "start=True" in facts["recipes"].get("judge", "")
    return render(
        "card.md",
        name=name,
        facts=facts,
        parts=parts,
        warm_alone=warm,
        judge_from_target=started,
        assembled=_assembled(name, facts, tuple(sizes)),
    )


def command(part: str, facts: Mapping[str, Any]) -> str | None:
    """The command line that trains a part so; None where the recipe is not recorded."""
    found = _RECIPE.match(facts["recipes"].get(part, ""))
    if not found:
        return None
    words = ["facecrafter", "train", part]
    if part != "amortiser":
        words += _data(facts)
    for name, value in settings(found[0]).items():
        words += _flag(name, value)
    start = ["--start", "runs/target"] if "start=True" in found[3] else []
    return " ".join([*words, *start, "--seed", found[2]])


def _assembled(name: str, facts: Mapping[str, Any], parts: tuple[str, ...]) -> str:
    """The command line that puts these parts into one bundle."""
    optional = [part for part in ("amortiser", "critic", "surrogate") if part in parts]
    folders = [word for part in optional for word in (f"--{part}", f"runs/{part}")]
    words = ["facecrafter", "train", "bundle", *_data(facts), *folders]
    return " ".join([*words, "--out", f"bundles/{name}"])


def _data(facts: Mapping[str, Any]) -> list[str]:
    data = facts["data"]["name"]
    root = [] if data == "synthetic" else ["--root", f"DATA/{data}"]
    return ["--data", data, *root, "--size", str(facts["size"])]


def settings(recipe: str) -> dict[str, Any]:
    """The fields of a recipe as a training recorded it; none where it recorded nothing."""
    found = _RECIPE.match(recipe)
    call = ast.parse(found[1], mode="eval").body if found else None
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return {field.arg or "": ast.literal_eval(field.value) for field in keywords}


def timed(part: str, facts: Mapping[str, Any]) -> str:
    """`command`, and the seconds that it took, where they are recorded."""
    seconds = facts["seconds"].get(part)
    told = "" if seconds is None else f"  # {seconds:.0f} s"
    return f"{command(part, facts) or f'# {part}: not recorded'}{told}"


def _flag(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool) or value == ():
        return [flag] * bool(value)
    return [flag, *map(str, value if isinstance(value, tuple) else [value])]
