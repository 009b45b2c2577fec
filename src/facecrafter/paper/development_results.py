"""What networks trained on releases are worth: a JSON file for each defence, task and seed."""

from dataclasses import asdict, dataclass
from typing import Any

from facecrafter.paper.development import Setting, answer
from facecrafter.paper.results import AbstractResults

_SPREAD = ("", "_low", "_high")  # over the networks
_SIDES = tuple(f"{side}_auc{end}" for side in ("public", "private") for end in _SPREAD)
_COUNTS = ("public_faces", "private_faces", "photographs")


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/development/*.json."""

    command = "facecrafter develop"
    measures = (*_SIDES, *_COUNTS)

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(setting)

    def question(self, setting: Setting) -> dict[str, Any]:
        told = asdict(setting.development)
        told["widths"] = list(setting.development.widths)
        return {"name": told.pop("task"), "recipe": type(setting.development).__name__, **told}
