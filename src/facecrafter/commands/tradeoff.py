"""The trade-off figure of the demo, drawn from the committed results on real photographs."""

import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facecrafter.commands.prepared import ATTACKS

SCENE = "lfw64-deployment"
MARKS = "osD^vPX*"  # one for each defence, so that the figure reads without colour


@dataclass(frozen=True)
class Cell:
    """One measured point."""

    defence: str
    settings: str  # all fields of the defence, to put seeds together
    threat: str
    auc: float  # of the attributes; higher is more useful
    eval_acc: float  # 0 to 1; lower is more private


def cells(folder: Path) -> list[Cell]:
    """The measured cells of the scene; files of another kind are passed over."""
    found = []
    for path in sorted(folder.glob("**/*.json")):
        try:
            cell = _cell(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if cell is not None:
            found.append(cell)
    return found


def _cell(row: dict[str, Any]) -> Cell | None:
    outcome = row["outcome"]
    if row["scene"] != SCENE or row["threat"]["name"] not in ATTACKS:
        return None
    return Cell(
        row["defence"]["name"],
        json.dumps(row["defence"], sort_keys=True),
        row["threat"]["name"],
        float(outcome["auc"]),
        float(outcome["eval_acc"]),
    )


def figure(measured: Sequence[Cell]) -> bytes:
    """One panel for each attack: mean AUC against Eval Acc, a line for each defence; a PNG."""
    drawing = Figure(figsize=(11, 3.8), layout="constrained")
    panels = drawing.subplots(1, len(ATTACKS), sharey=True)
    names = sorted({cell.defence for cell in measured})
    for panel, attack in zip(panels, ATTACKS, strict=True):
        for mark, name in zip(MARKS * len(names), names, strict=False):
            own = [c for c in measured if (c.defence, c.threat) == (name, attack)]
            points = _points(own)
            if points:
                panel.plot(*zip(*points, strict=True), marker=mark, label=name)
        panel.set(title=attack, xlabel="mean AUC: use kept")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Eval Acc: identity leaked, %")
    panels[-1].legend(fontsize="small")
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _points(own: Sequence[Cell]) -> list[tuple[float, float]]:
    """Means over seeds, from little use to much."""
    groups: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in own:
        groups[cell.settings].append(cell)
    return sorted(
        (sum(c.auc for c in group) / len(group), 100 * sum(c.eval_acc for c in group) / len(group))
        for group in groups.values()
    )
