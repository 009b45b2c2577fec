"""How results were measured, as every page tells it: time, machine, commit, versions."""

from collections.abc import Sequence

from facecrafter.paper.store import TAKEN_OVER, Record


def told(records: Sequence[Record], what: str, *more: str) -> str:
    """A Markdown list. `what`: name of the records, such as "cells"; `more`: further lines."""
    commits = sorted({record.commit or "unknown" for record in records})
    machines = sorted({_machine(record) for record in records})
    torches = sorted({str(record.versions.get("torch")) for record in records})
    scene = records[0].versions.get("scene", "")
    lines = [
        f"- {len(records)} {what}, {sum(r.wall for r in records) / 3600:.1f} hours of one process",
        f"- machine: {'; '.join(machines)}",
        f"- commit: {', '.join(c[:12] + '+' * c.endswith('+') for c in commits)}",
        f"- torch {', '.join(torches)}, scene {scene[:12]}",
        *more,
    ]
    taken = sum(TAKEN_OVER in record.versions for record in records)
    if taken > 0:
        lines.append(
            f"- {taken} {what} hold batches that earlier code made; of each the first and the last "
            "came out the same, bit for bit, with the code of the commit (`--spot-check`)"
        )
    return "\n".join(lines)


def _machine(record: Record) -> str:
    machine = record.machine
    gpu = [str(machine["gpu"])] if "gpu" in machine else []
    return ", ".join([str(machine.get("cpu")), f"{machine.get('threads')} thread(s)", *gpu])
