"""Checkpoints on the disk: whole or not there, the last two kept, losses appended."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Row = Mapping[str, float]
Checkpoint = tuple[dict[str, Tensor], dict[str, str]]  # tensors, and what is said of them
NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
LOSSES = "losses.jsonl"


def write(folder: Path, tensors: dict[str, Tensor], said: Mapping[str, str]) -> None:
    """Make this the newest checkpoint and the newest one the previous.

    Killed at any moment, or with the disk full (`OSError`), an earlier one is left whole.
    """
    partial = folder / "checkpoint.partial"
    try:
        save_file(tensors, partial, {**said, "sha256": digest(tensors)})
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
    except SafetensorError as error:  # safetensors' word for a full disk
        partial.unlink(missing_ok=True)
        raise OSError(f"no checkpoint could be written: {error}") from error
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if (folder / NEWEST).exists():
        (folder / NEWEST).replace(folder / PREVIOUS)
    partial.replace(folder / NEWEST)


def read(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint.

    A torn one is put aside: `write` would else put it in the place of the whole previous one.
    """
    for path in (folder / NEWEST, folder / PREVIOUS):
        if not path.exists():
            continue
        found = _whole(path)
        if found is not None:
            return found
        path.replace(folder / "checkpoint.torn")
    return None


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and values, wherever these lie."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        values = tensors[name].detach().cpu().contiguous()
        found.update(values.view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def append_losses(folder: Path, rows: Sequence[Row]) -> None:
    """Add to `losses.jsonl`: one line of JSON for each step."""
    with (folder / LOSSES).open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


def losses_before(folder: Path, step: int) -> list[dict[str, float]]:
    """Losses of the steps before `step`; the file forgets later ones and a torn last line."""
    path = folder / LOSSES
    if not path.exists():
        return []
    rows = [row for line in path.read_text().splitlines() if (row := _row(line)) is not None]
    kept = [row for row in rows if row["step"] < step]
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row) + "\n" for row in kept))
    partial.replace(path)
    return kept


def _row(line: str) -> dict[str, float] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "step" in row else None


def _whole(path: Path) -> Checkpoint | None:
    """A complete and unaltered checkpoint, or nothing."""
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return None
    return (tensors, said) if said.get("sha256") == digest(tensors) else None
