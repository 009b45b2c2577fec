"""`facecrafter expose`: how many people an attacker names who knows other features by name."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.prepared import DEFAULT, in_project, shadows_of
from facecrafter.data.faces import Faces
from facecrafter.data.lfw import lfw
from facecrafter.errors import SettingError
from facecrafter.paper.exposure import Kind, Setting
from facecrafter.paper.exposure_page import write_page
from facecrafter.paper.exposure_results import Results
from facecrafter.paper.scenes import Scene, lfw64
from facecrafter.paper.store import Record
from facecrafter.paper.tables.exposure import DEFENCES, EXPOSURES


@dataclass(frozen=True, kw_only=True)
class Expose(AbstractCommand):
    """Measure who is in a release, by an attacker who knows other features by name (Table VIII).

    He learns to name people by features of the private train photographs of LFW, either original
    ones, Enc(X), or protected ones, and is then asked whom he sees in the releases of the private
    test photographs. No face is reconstructed. One JSON file for each defence, kind and seed goes
    to the folder of results; what is there is not measured again, so the command goes on where it
    was stopped, also after kill -9. After each the page docs/exposure.md is written from the files.
    Releases that `facecrafter evaluate` made are read from --work. On one core the original
    features take about ten minutes once, the protected ones of a defence five to forty minutes,
    with the paper's opponent three hours; it needs 3 GB of memory.

    Example: facecrafter expose --root DATA/lfw --defences TaskUtility
    """

    root: Path  # folder that holds lfw-deepfunneled and attributes.csv
    bundle: Path = DEFAULT  # folder of networks; ours
    kind: Kind | None = None  # what the attacker learns from; None = one after the other
    defences: str | None = None  # those whose description holds this text, such as StandIn
    # after a change of code: of what earlier code released, make the first and the last batch anew;
    # if both come out the same, bit for bit, take the others over (the page says so)
    spot_check: bool = False
    results: Path = Path("results/exposure")  # folder of what was measured, of its own
    # folder of releases and networks, 2 GB; may be deleted at any time
    work: Path = Path("runs/work")
    cache: Path = Path("runs/crops")  # folder for decoded crops, to be read once
    docs: Path = Path("docs")  # folder for the page, exposure.md

    def run(self) -> Outcome:
        chosen = [defence for defence in DEFENCES if (self.defences or "") in repr(defence)]
        if not chosen:
            raise SettingError(
                f"no defence holds {self.defences!r}. There are "
                f"{'; '.join(repr(defence) for defence in DEFENCES)}."
            )
        scene, exposed = self._scene(), self._exposed()
        settings = [
            Setting(
                defence, exposure, self.common.number(), scene, exposed, self.work, self.spot_check
            )
            for defence in chosen
            for exposure in EXPOSURES
            if self.kind in (None, exposure.kind)
        ]
        results = Results(self.results)
        kept = [setting for setting in settings if results.find(setting) is not None]
        waiting = [setting for setting in settings if setting not in kept]
        records = self._measure(results, waiting)
        page = write_page(results, self.docs)
        return Outcome(
            f"{len(records)} measured, {len(kept)} were there; see {page}",
            {
                "measured": len(records),
                "kept": len(kept),
                "seconds": round(sum(record.wall for record in records), 1),
                "results": str(self.results),
                "page": str(page),
            },
        )

    def _measure(self, results: Results, waiting: Sequence[Setting]) -> list[Record]:
        records, began = list[Record](), time.monotonic()
        for number, setting in enumerate(waiting, start=1):
            records.append(results.measure(setting))
            write_page(results, self.docs)
            left = (time.monotonic() - began) / number * (len(waiting) - number)
            if not (self.common.quiet or self.common.json):
                told = f"[{number}/{len(waiting)}] {_line(setting, records[-1])}, {left:.0f} s left"
                print(told, file=sys.stderr, flush=True)
        return records

    def _scene(self) -> Scene:
        """With the decoders beside the bundle, which the names of kept releases rest on."""
        device, bundle = str(self.common.torch_device()), in_project(self.bundle)
        return lfw64(self.root, bundle, shadows_of(self.bundle), self.cache, device)

    def _exposed(self) -> Faces:
        return lfw(self.root, 64, self.cache).private_train


def _line(setting: Setting, record: Record) -> str:
    outcome = record.outcome
    return (
        f"{setting.defence!r}, {setting.exposure.kind} features: top-1 {outcome['top1']:.3f}, "
        f"top-5 {outcome['top5']:.3f}, AUC {outcome['auc']:.3f} ({record.wall:.0f} s)"
    )
