"""The header of a safetensors file, read with suspicion.

The safetensors library refuses overlaps, holes and truncation, but takes duplicate keys, metadata
of any size and 200,000 empty tensors (version 0.8.0). So the header is read here first, within
limits, and only then given to the library.
"""

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

BYTES = {"F16": 2, "F32": 4, "I64": 8}  # the types that weights and features have, and their sizes


class HeaderError(ValueError):
    """What is wrong with a header, in words that fit after the name of what was read."""


@dataclass(frozen=True)
class Entry:
    """One tensor as the header announces it."""

    dtype: str  # F16, F32 or I64
    shape: tuple[int, ...]
    begin: int  # bytes after the header
    end: int


def read_header(data: bytes, most: int) -> dict[str, Entry]:
    """The tensors that `data` announces, which fill it to the last byte, without holes or overlap.

    `most`: bytes that the header may have. Raises `HeaderError`.
    """
    if len(data) < 8:
        raise HeaderError(f"has {len(data)} bytes; the length of the header alone takes 8")
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= most:
        raise HeaderError(f"announces a header of {length} bytes; from 2 to {most} are allowed")
    if 8 + length > len(data):
        raise HeaderError(f"ends after {len(data)} bytes, within its header of {length}")
    parsed = read_json(data[8 : 8 + length])
    if "__metadata__" in parsed:
        raise HeaderError("carries metadata, which is not allowed")
    entries = {name: _entry(name, value) for name, value in parsed.items()}
    _refuse_gaps(entries, len(data) - 8 - length)
    return entries


def read_json(text: bytes) -> dict[str, Any]:
    """A JSON object without repeated keys, `NaN` or `Infinity`. Raises `HeaderError`."""
    try:
        parsed = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except HeaderError:
        raise
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"is not valid JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise HeaderError("is not a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise HeaderError("names a key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise HeaderError(f"contains {name}")


def _entry(name: str, value: object) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise HeaderError(
            f"describes {name[:40]!r} by other fields than dtype, shape, data_offsets"
        )
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise HeaderError(f"holds {name[:40]!r} as {str(dtype)[:20]!r}; allowed are {list(BYTES)}")
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2:
        raise HeaderError(f"gives {name[:40]!r} a shape or offsets that are not counts")
    begin, end = offsets
    if end - begin != BYTES[dtype] * math.prod(shape):
        raise HeaderError(
            f"gives {name[:40]!r} {end - begin} bytes, which is not what {shape} needs"
        )
    return Entry(dtype, tuple(shape), begin, end)


def _sizes(value: object) -> bool:
    """Whether it is a short list of whole numbers from 0."""
    return (
        isinstance(value, list)
        and len(value) <= 8
        and all(type(size) is int and 0 <= size < 2**48 for size in value)
    )


def _refuse_gaps(entries: dict[str, Entry], total: int) -> None:
    reached = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != reached:
            raise HeaderError(f"leaves or shares bytes at {min(entry.begin, reached)}")
        reached = entry.end
    if reached != total:
        raise HeaderError(f"holds {total} bytes of values; its header announces {reached}")
