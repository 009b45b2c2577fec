"""`facecrafter evaluate`: measure the whole grid on LFW, and write it down."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import torch

from facecrafter.commands.common import FAILED, OK, AbstractCommand, Outcome, warn_of_bfloat16
from facecrafter.commands.prepared import DEFAULT, in_project, shadows_of
from facecrafter.defences.base import AbstractDefence
from facecrafter.errors import SettingError
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.evaluate import MakeScene, Step, Summary, evaluate
from facecrafter.paper.headline import fill_readme
from facecrafter.paper.points import records_of
from facecrafter.paper.precision import in_float32
from facecrafter.paper.recheck import NAMES, TOLERANCES, Compared, recheck
from facecrafter.paper.report import write_report
from facecrafter.paper.scenes import lfw64, lfw64_batch
from facecrafter.paper.store import Store
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.averaging import LFW64_AVERAGING
from facecrafter.paper.tables.crafter_z import LFW64_CRAFTER_Z
from facecrafter.paper.tables.curve import LFW64_CURVE
from facecrafter.paper.tables.general import LFW64_GENERAL
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.tables.published import PUBLISHED
from facecrafter.paper.tables.rivals import LFW64_RIVALS, misleading
from facecrafter.paper.tables.searches import LFW64_SEARCHES
from facecrafter.paper.tables.stand_ins import LFW64_STAND_INS
from facecrafter.paper.threats import PRIORS, Threat, all_threats, searching

TableName = Literal[
    "grid",
    "published",
    "adaptive",
    "averaging",
    "curve",
    "stand-ins",
    "searches",
    "priors",
    "crafter-z",
    "general",
    "rivals",
]
ALL = "all"
TABLES: dict[TableName, Table] = {
    "grid": LFW64,
    "published": PUBLISHED,
    "adaptive": LFW64_ADAPTIVE,
    "averaging": LFW64_AVERAGING,
    "curve": LFW64_CURVE,
    "stand-ins": LFW64_STAND_INS,
    "searches": LFW64_SEARCHES,
    "priors": LFW64_PRIORS,
    "crafter-z": LFW64_CRAFTER_Z,
    "general": LFW64_GENERAL,
    "rivals": LFW64_RIVALS,
}


@dataclass(frozen=True, kw_only=True)
class Evaluate(AbstractCommand):
    """Measure every defence against every attack on the 1,027 private test photographs of LFW.

    One JSON file for each measured cell goes to the folder of results; what is there is not
    measured again, so the command goes on where it was stopped, also after kill -9. Then the page
    of results and the headline in the README are written from the files.

    Example: facecrafter evaluate --root DATA/lfw --processes 2

    Example: facecrafter evaluate --root DATA/lfw --defences all --threats all
    """

    root: Path  # folder that holds lfw-deepfunneled and attributes.csv
    bundle: Path = DEFAULT  # folder of networks; ours
    # bundles that hold one more decoder each, for the attacker; None = BUNDLE-shadow1 and so on
    shadows: tuple[Path, ...] | None = None
    # grid: all defences against the basic attacks. published: the authors' settings in full on one
    # batch of 32 faces, two hours of two cores for each beta. adaptive: attackers who learn from
    # what some of the defences release (A1), up to two hours of a core and 0.7 GB in --work for
    # each; --spot-check takes over nothing of that. averaging: attackers who ask again (A3).
    # curve: A1 over pairs and epochs. stand-ins: how little a release may say. searches: attacks
    # that need no lesson and that the paper does not have. priors: other generators (A2).
    # crafter-z: its beta against its rate (Table XIV), ten minutes of a core for each setting.
    # general: an encoder that was made for no task, of the --bundle that must be given.
    # rivals: defences of others; those that are games are trained first, ten minutes of a core
    # each. all: all of these but published and general, and priors where --priors is given; days
    # of a CPU. None = grid, or all where --defences or --threats is all
    table: TableName | Literal["all"] | None = None
    # for --table priors: folder that holds the --out of a `train prior`, `train style` or `adopt`
    # for each generator, by name; what has another name than the table's is measured, too
    priors: Path | None = None
    # for --table rivals: published networks that tell people apart, safetensors files, which Fawkes
    # and LowKey are to mislead, too (docs/recognisers.md)
    people: tuple[Path, ...] = ()
    # those whose description holds this text, such as StandIn; None or all = every one
    defences: str | None = None
    threats: str | None = None  # those whose name holds this text, such as A1; None or all likewise
    only: str | None = None  # cells whose description holds this text, as the progress shows it
    # several of --seed, of the defences and attacks; None = the table's, 0 and 1 for the grid; ours
    seeds: tuple[int, ...] | None = None
    # after a change of code: of what earlier code made, make the first and the last batch anew; if
    # both come out the same, bit for bit, take the others over (the page says so)
    spot_check: bool = False
    # measure what was asked for, and is stored, once more, and tell how far both are apart; it is
    # kept in the folder recheck of --work (delete that to measure a third time), and --results and
    # all pages are left as they are. Exit code 1 where one is farther than two machines should be
    recheck: bool = False
    # all slopes in float32: for a processor without bfloat16. These are other cells than the
    # project's, which stand beside them in --results
    float32: bool = False
    processes: int = 1  # cells at a time, one thread each; of no influence on outcomes; ours
    results: Path = Path("results")  # folder of measured cells
    # folder of releases and reconstructions, some GB; may be deleted at any time
    work: Path = Path("runs/work")
    cache: Path = Path("runs/crops")  # folder for decoded crops, to be read once
    docs: Path = Path("docs")  # folder for the table's page, such as results.md, and its figure
    readme: Path = Path("README.md")  # file whose marked block gets the headline, if it is there

    def run(self) -> Outcome:
        device = str(self.common.torch_device())
        bundle, shadows = in_project(self.bundle), shadows_of(self.bundle, self.shadows)
        where = self.root, bundle, shadows, self.cache, device
        tables = self.listed()
        of_all = partial(lfw64, *where, priors=self.priors, name=tables[0].scene)
        make = partial(lfw64_batch, *where) if self.table == "published" else of_all
        store = Store(self.results, self.work, self.spot_check)
        steps: list[Step] = []
        cells = tuple(self.cells())
        warn_of_bfloat16(cells, torch.device(device), "Stop, and give --float32.")
        if self.recheck:
            return self._rechecked(cells, make, store)
        for step in evaluate(cells, make, store, self.processes):
            steps.append(step)
            if not (self.common.quiet or self.common.json):
                print(step, file=sys.stderr, flush=True)
        summary, pages = Summary.of(steps), [*self._pages(tables, store)]
        return Outcome(
            f"{summary}; see {', '.join(pages)}",
            {
                "measured": summary.measured,
                "kept": summary.kept,
                "seconds": round(summary.seconds, 1),
                "results": str(self.results),
                "pages": pages,
            },
        )

    def _rechecked(self, cells: Sequence[Cell], make: MakeScene, store: Store) -> Outcome:
        if self.spot_check:
            raise SettingError("--recheck measures all anew, --spot-check does not: give one.")
        compared: list[Compared] = []
        for one in recheck(cells, make, store, self.work / "recheck", self.processes):
            compared.append(one)
            if not (self.common.quiet or self.common.json):
                print(one, file=sys.stderr, flush=True)
        far, kept = (sum(bool(one.far) for one in compared), sum(one.kept for one in compared))
        within = ", ".join(f"{NAMES[name]} {most:g}" for name, most in TOLERANCES.items())
        before = (
            f" {kept} were measured by an earlier --recheck: to measure them once more, delete "
            f"{self.work / 'recheck'}."
        )
        return Outcome(
            f"{len(compared)} of {len(cells)} cells are stored and were measured anew; {far} are "
            f"farther apart than is tolerated ({within}).{before if kept else ''}",
            {
                "asked_for": len(cells),
                "compared": len(compared),
                "kept": kept,
                "too_far": far,
                "tolerances": TOLERANCES,
                "cells": [
                    {"cell": str(one.cell), **one.apart, "faces_that_differ": one.otherwise}
                    for one in compared
                ],
            },
            FAILED if far else OK,
        )

    def _pages(self, tables: Sequence[Table], store: Store) -> Iterator[str]:
        """Written anew, of each table of which something is measured."""
        for table in tables:
            others = tuple(seed for seed in self._seeds(table) if seed not in table.seeds)
            shown = replace(table, seeds=(*table.seeds, *others))  # what was asked for, too
            if records_of(shown, store):
                yield str(write_report(shown, store, self.docs))
            if table.headline:
                fill_readme(shown, store, self.readme)

    @property
    def _names(self) -> Sequence[TableName]:
        if self.table is not None and self.table != ALL:
            return (self.table,)
        if self.table is None and ALL not in (self.defences, self.threats):
            return ("grid",)
        return [
            name
            for name, table in TABLES.items()
            if table.scene == LFW64.scene and (name != "priors" or self.priors is not None)
        ]

    def listed(self) -> tuple[Table, ...]:
        """The tables, with as many decoders as the attacker was given."""
        if self.people and "rivals" not in self._names:
            raise SettingError(
                "--people is for --table rivals (or all), where Fawkes and LowKey are."
            )
        held = all_threats(decoders=1 + len(shadows_of(self.bundle, self.shadows)))
        return tuple(self._with(held, name) for name in self._names)

    def _with(self, held: Mapping[str, Threat], name: TableName) -> Table:
        table = TABLES[name]
        known = tuple(held[threat.name] for threat in table.threats)
        more = self._others() if name == "priors" else ()
        others = self._misleading if name == "rivals" else ()
        table = replace(table, threats=(*known, *more), defences=(*table.defences, *others))
        return in_float32(table) if self.float32 or table.float32 else table

    @cached_property
    def _misleading(self) -> tuple[AbstractDefence, ...]:
        """The files are read once, and what is wrong with one is said at once."""
        return misleading(*self.people) if self.people else ()

    def _others(self) -> tuple[Threat, ...]:
        """Searches of generators in --priors that the table does not name, such as adopted ones."""
        if self.priors is None or not self.priors.is_dir():
            return ()
        inside = sorted(path.name for path in self.priors.iterdir() if path.is_dir())
        return tuple(searching(name) for name in inside if name not in PRIORS)

    def _seeds(self, table: Table) -> tuple[int, ...]:
        one = None if self.common.seed is None else (self.common.seed,)
        return self.seeds or one or table.seeds

    def cells(self) -> Sequence[Cell]:
        """Those that were asked for, each once. Raises `SettingError` where there is none."""
        tables = [replace(table, seeds=self._seeds(table)) for table in self.listed()]
        every = [cell for table in tables for cell in table.cells()]
        chosen: dict[tuple[AbstractDefence, Threat, int], Cell] = {}
        for cell in every:
            if self._asked_for(cell):  # of two the first: the grid tells what the paper reports
                chosen.setdefault((cell.defence, cell.threat, cell.seed), cell)
        if not chosen:
            names = sorted({type(cell.defence).__name__ for cell in every})
            threats = dict.fromkeys(cell.threat.name for cell in every)
            asked = {"--only": self.only, "--defences": self.defences, "--threats": self.threats}
            told = ", ".join(f"{name} {text!r}" for name, text in asked.items() if text)
            raise SettingError(
                f"no cell matches {told}. A cell reads like {str(every[0])!r}"
                f"; the defences are {', '.join(names)}, the attacks {', '.join(threats)}."
            )
        return [*chosen.values()]

    def _asked_for(self, cell: Cell) -> bool:
        told = str(cell), repr(cell.defence), cell.threat.name
        asked = zip((self.only, self.defences, self.threats), told, strict=True)
        return all(text in (None, ALL) or text in where for text, where in asked)
