"""Defences whose device is handed more than Enc and G: what was trained for it on public faces.

A trusted party trains it beforehand (`equip`), which sees no private face and leaves Enc and f as
they are. What it makes of that is an `Offline` of this one recipe, and of no other does the recipe
make a defence.
"""

import abc
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, final

import torch
from torch import Generator, Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline
from facecrafter.errors import NotProtected, SettingError
from facecrafter.models.part import frozen

Equipment = TypeVar("Equipment", bound=nn.Module)


@dataclass(frozen=True)
class Equipped(Offline):
    """What a device is handed where its defence needs networks of its own."""

    recipe: "AbstractEquipped[Any] | None" = None  # that they were trained for
    equipment: nn.Module | None = None  # frozen


@dataclass(frozen=True)
class AbstractEquipped(AbstractDefence, Generic[Equipment]):
    """Hyperparameters of such a defence."""

    @property
    def lessons(self) -> object:
        """The recipes of what is trained: defences with equal ones may share a folder."""
        return self

    @abc.abstractmethod
    def prepare(
        self, offline: Offline, public: Faces, seed: int, folder: Path | None, device: torch.device
    ) -> Equipment:
        """Train what the device needs; it may be nothing. See `equip`."""

    @abc.abstractmethod
    def protector(self, offline: Offline, equipment: Equipment) -> AbstractProtector:
        """The fitted defence."""

    @final
    def equip(
        self,
        offline: Offline,
        public: Faces,
        seed: int = 0,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
    ) -> Equipped:
        """What the device is to be handed, for `fit`.

        `public`: faces that the trusted party trains on. `folder`: where a training that was
        killed goes on; it serves defences with the same `lessons`. `device`: that of `offline`'s
        networks. Raises `DataError` for too few faces, `SettingError` for another's folder.
        """
        equipment = self.prepare(offline, public, seed, folder, torch.device(device))
        own: dict[str, Any] = {part.name: getattr(offline, part.name) for part in fields(Offline)}
        return Equipped(**own, recipe=self, equipment=frozen(equipment).to(device))

    @final
    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        """Raises `SettingError` for an `Offline` that was not made by `equip` of this recipe."""
        if not isinstance(offline, Equipped) or offline.recipe != self or offline.equipment is None:
            raise SettingError(
                f"{type(self).__name__} needs networks of its own on the device: train them on "
                "public faces (`equip`), and hand the device what that gives. What was made for "
                "another recipe does not do."
            )
        return self.protector(offline, cast("Equipment", offline.equipment))


def leading(slope: Tensor) -> Tensor:
    """The slope itself. Raises `NotProtected` where, for some photograph, it says nowhere to go.

    The sign of NaN is 0, as that of 0 is: what would not be moved would be sent as it is.
    """
    rows = slope.flatten(1)
    lost = int((~torch.isfinite(rows).all(dim=1) | (rows == 0).all(dim=1)).sum())
    if lost:
        raise NotProtected(
            f"for {lost} of {len(rows)} photographs a slope through the device's own networks is "
            "0 or not finite, so nothing was released. Train them anew (`equip`, with another "
            "folder)."
        )
    return slope
