"""What commands share that measure something of their own about the defences of a table."""

import abc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from facecrafter.commands.common import AbstractCommand, Outcome, warn_of_bfloat16
from facecrafter.commands.prepared import DEFAULT, in_project, shadows_of
from facecrafter.data.faces import Faces
from facecrafter.data.lfw import lfw
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import SettingError
from facecrafter.paper.precision import in_float32
from facecrafter.paper.results import AbstractResults, Setting
from facecrafter.paper.scenes import Scene, lfw64
from facecrafter.paper.store import Record


@dataclass(frozen=True, kw_only=True)
class AbstractMeasurement(AbstractCommand, Generic[Setting]):
    """A command that measures settings, keeps them as results, and writes a page of them."""

    root: Path  # folder that holds lfw-deepfunneled, attributes.csv and emotions.csv
    bundle: Path = DEFAULT  # folder of networks; ours
    defences: str | None = None  # those whose description holds this text, such as StandIn
    float32: bool = False  # defences in float32: for a processor without bfloat16
    # after a change of code: of what earlier code released, make the first and the last batch anew;
    # if both come out the same, bit for bit, take the others over (the page says so)
    spot_check: bool = False
    # folder of releases and networks, 2 GB; may be deleted at any time
    work: Path = Path("runs/work")
    cache: Path = Path("runs/crops")  # folder for decoded crops, to be read once
    docs: Path = Path("docs")  # folder for the page

    @abc.abstractmethod
    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        """What was asked for, in order. Raises `SettingError`."""

    @abc.abstractmethod
    def kept(self) -> AbstractResults[Setting]:
        """Where its results are."""

    @abc.abstractmethod
    def page(self) -> Path:
        """Write the page; returns it."""

    @abc.abstractmethod
    def line(self, setting: Setting, record: Record) -> str:
        """What was found, for the progress."""

    def run(self) -> Outcome:
        results = self.kept()
        settings = self.settings(self._scene(), lfw(self.root, 64, self.cache).private_train)
        waiting = [setting for setting in settings if results.find(setting) is None]
        recipes = tuple(setting.defence for setting in waiting)
        warn_of_bfloat16(recipes, self.common.torch_device(), "Stop, and give --float32.")
        records = self._measure(results, waiting)
        page, kept = self.page(), len(settings) - len(waiting)
        return Outcome(
            f"{len(records)} measured, {kept} were there; see {page}",
            {
                "measured": len(records),
                "kept": kept,
                "seconds": round(sum(record.wall for record in records), 1),
                "results": str(results.folder),
                "page": str(page),
            },
        )

    def chosen(self, defences: Sequence[AbstractDefence]) -> list[AbstractDefence]:
        """Those that were asked for. Raises `SettingError` where there is none."""
        if self.float32:
            defences = in_float32(tuple(defences))
        found = [defence for defence in defences if (self.defences or "") in repr(defence)]
        if not found:
            raise SettingError(
                f"no defence holds {self.defences!r}. There are "
                f"{'; '.join(repr(defence) for defence in defences)}."
            )
        return found

    def _measure(
        self, results: AbstractResults[Setting], waiting: Sequence[Setting]
    ) -> list[Record]:
        records, began = list[Record](), time.monotonic()
        for number, setting in enumerate(waiting, start=1):
            records.append(results.measure(setting))
            self.page()
            left = (time.monotonic() - began) / number * (len(waiting) - number)
            if not (self.common.quiet or self.common.json):
                told = f"[{number}/{len(waiting)}] {self.line(setting, records[-1])}"
                print(f"{told}, {left:.0f} s left", file=sys.stderr, flush=True)
        return records

    def _scene(self) -> Scene:
        """With the decoders beside the bundle, which the names of kept releases rest on."""
        device, bundle = str(self.common.torch_device()), in_project(self.bundle)
        return lfw64(self.root, bundle, shadows_of(self.bundle), self.cache, device)
