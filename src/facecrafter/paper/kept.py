"""What was measured, wherever it is kept: looked up for the reproduction of the paper's figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from facecrafter.defences.base import AbstractDefence
from facecrafter.paper import (
    augmentation_results,
    azure_results,
    bound_results,
    describe,
    development_results,
    exposure_results,
    responses,
)
from facecrafter.paper.cells import Table
from facecrafter.paper.points import Spread, among
from facecrafter.paper.store import Record, Store


@dataclass(frozen=True)
class Kept:
    """A folder of results as the commands leave it, and one of documents."""

    results: Path
    docs: Path

    @cached_property
    def cells(self) -> list[Record]:
        """All that `facecrafter evaluate` measured. Raises `ResultError`."""
        return Store(self.results, self.results).all()

    @cached_property
    def exposure(self) -> list[Record]:
        """All that `facecrafter expose` measured. Raises `ResultError`."""
        return exposure_results.Results(self.results / "exposure").all()

    @cached_property
    def development(self) -> list[Record]:
        """All that `facecrafter develop` measured. Raises `ResultError`."""
        return development_results.Results(self.results / "development").all()

    @cached_property
    def augmentation(self) -> list[Record]:
        """All that `facecrafter augment` measured. Raises `ResultError`."""
        return augmentation_results.Results(self.results / "augmentation").all()

    @cached_property
    def azure(self) -> list[Record]:
        """All that `facecrafter azure` measured. Raises `ResultError`."""
        return azure_results.Results(self.results / "azure").all()

    @cached_property
    def bound(self) -> list[Record]:
        """All that `facecrafter bound` measured. Raises `ResultError`."""
        return bound_results.Results(self.results / "bound").all()

    @cached_property
    def responses(self) -> list[Record]:
        """All that `facecrafter locate` measured. Raises `ResultError`."""
        return responses.Results(self.results / "responses").all()

    def of(self, table: Table) -> list[Record]:
        """Records of a table's cells."""
        return among(table, self.cells)


def spread(
    records: Sequence[Record], defence: AbstractDefence, threat: str, measure: str = "eval_acc"
) -> Spread | None:
    """A measure of one defence against one threat, over seeds; None where it was not measured."""
    told = describe.of_defence(defence)
    mine = [r for r in records if (r.defence, r.threat["name"]) == (told, threat)]
    values = [r.outcome[measure] for r in mine if measure in r.outcome]
    return Spread.of(values) if values else None
