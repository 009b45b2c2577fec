"""What was measured of exposed features: a JSON file for each defence, kind and seed."""

from dataclasses import asdict, dataclass
from typing import Any

from facecrafter.paper.exposure import Setting, answer
from facecrafter.paper.results import AbstractResults

MEASURES = ("top1", "top1_low", "top1_high", "top5", "top5_low", "top5_high", "top1_of_a_person")


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/exposure/*.json."""

    command = "facecrafter expose"
    measures = (*MEASURES, "top1_always", "top5_always", "auc", "seconds", "faces")

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(setting)

    def question(self, setting: Setting) -> dict[str, Any]:
        told = asdict(setting.exposure)
        told["widths"] = list(setting.exposure.widths)
        return {"name": told.pop("kind"), "recipe": type(setting.exposure).__name__, **told}
