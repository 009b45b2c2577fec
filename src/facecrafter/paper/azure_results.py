"""What Azure Face recognised: a JSON file for each defence, attack and seed."""

from dataclasses import asdict, dataclass
from typing import Any

from facecrafter.errors import SettingError
from facecrafter.paper import describe
from facecrafter.paper.azure import Group, Setting, answer
from facecrafter.paper.results import AbstractResults

PHOTOGRAPHS = "photographs"  # the control, in the place of an attack
MEASURES = ("eval_acc", "eval_acc_low", "eval_acc_high", "sure", "not_found", "eval_acc_here")


@dataclass(frozen=True)
class Results(AbstractResults[Setting]):
    """results/azure/*.json. Without a group they can be read, and nothing measured."""

    group: Group | None = None

    command = "facecrafter azure"
    measures = (*MEASURES, "auc", "always", "faces", "people", "photographs", "refused", "left_out")

    def answer(self, setting: Setting) -> tuple[dict[str, Any], str]:
        if self.group is None:
            raise SettingError("nobody can be recognised without a group: give `enrolled`'s.")
        return answer(setting, self.group)

    def question(self, setting: Setting) -> dict[str, Any]:
        judging = asdict(setting.judging)
        if setting.threat is None:
            return {"name": PHOTOGRAPHS, "recipe": "Photographs", "judging": judging}
        return {**describe.of_threat(setting.threat), "judging": judging}
