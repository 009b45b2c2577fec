"""What private releases add to public faces: a JSON file for each defence, source and seed."""

from dataclasses import asdict, dataclass
from typing import Any

from facecrafter.paper.augmentation import Setting, answer
from facecrafter.paper.results import AbstractResults


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/augmentation/*.json."""

    command = "facecrafter augment"
    measures = ("auc", "auc_low", "auc_high", "auc_of_the_attribute", "private", "faces")

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        return answer(setting)

    def question(self, setting: Setting) -> dict[str, Any]:
        told = asdict(setting.augmentation)
        told["attributes"] = list(setting.augmentation.attributes)
        told["how"]["widths"] = list(setting.augmentation.how.widths)
        return {"name": told.pop("source"), "recipe": type(setting.augmentation).__name__, **told}
