"""Tables that come with photographs: one row for each, checked before a number is believed."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecrafter.errors import DataError

KEYS = ("image", "file_name", "name", "img_name", "")  # what heads the column of file names


@dataclass(frozen=True)
class Table:
    """Rows of words by the photograph's name, as read from one file."""

    file: str  # for error messages
    columns: tuple[str, ...]  # without the first, which holds the photograph's name
    rows: dict[str, list[str]]


def table(path: Path) -> Table:
    """A comma-separated file with a line of names; the first column names the photograph.

    Raises `DataError` for a file that is missing, is no text, has lines of other lengths, or names
    a photograph or a column twice.
    """
    header, *lines = [line for line in _lines(path) if line] or [[]]
    if len(header) < 2 or header[0].strip().lower() not in KEYS:
        raise DataError(
            f"{path.name} begins with {','.join(header)[:60]!r}. The first line names the columns, "
            f"the first of them {' or '.join(KEYS[:2])!r}."
        )
    return checked(path.name, [word.strip() for word in header[1:]], lines)


def checked(file: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    """Lines of (photograph, word for each column) as a table; raises `DataError` as `table`."""
    if len(set(columns)) != len(columns) or "" in columns:
        raise DataError(f"{file} names its columns {list(columns)}: each needs a name of its own.")
    rows: dict[str, list[str]] = {}
    for image, *words in lines:
        if len(words) != len(columns):
            raise DataError(
                f"{file} has {len(words)} values for {image!r} and {len(columns)} columns: give "
                "one value for each column, or leave the row out."
            )
        if image in rows:
            raise DataError(f"{file} names {image!r} twice. Remove one of the rows.")
        rows[image] = [word.strip() for word in words]
    return Table(file, tuple(columns), rows)


def words(path: Path) -> list[list[str]]:
    """A text file as lines of words; empty lines are left out."""
    return [line.split() for line in _text(path).splitlines() if line.strip()]


def probabilities(of: Table, names: Sequence[str], signed: bool = False) -> NDArray[np.float32]:
    """One row for each photograph, 0 to 1; a photograph without a row is all NaN.

    With `signed`, -1 counts as 0, as CelebA writes it. Raises `DataError` for a value that is no
    number from 0 to 1 (NaN too), and where not one of the photographs has a row.
    """
    out = np.full((len(names), len(of.columns)), np.nan, np.float32)
    known = [i for i, name in enumerate(names) if name in of.rows]
    if names and not known:
        raise DataError(
            f"{of.file} has no row for any of {len(names)} photographs, for one {names[0]!r}. "
            "Write the files' names as they are, with their ending."
        )
    if known:
        out[known] = _numbers(of, [names[i] for i in known], signed)
    return out


def _numbers(of: Table, names: Sequence[str], signed: bool) -> NDArray[np.float32]:
    try:
        values = np.array([of.rows[name] for name in names], dtype=np.float32)
    except ValueError:
        values = np.array([[_number(word) for word in of.rows[name]] for name in names])
    values = values.reshape(len(names), len(of.columns))
    if signed:
        values[values == -1] = 0
    wrong = np.argwhere(~((values >= 0) & (values <= 1)))
    if len(wrong):
        i, j = int(wrong[0, 0]), int(wrong[0, 1])
        rule = "-1, 0 or 1" if signed else "a number from 0 to 1"
        raise DataError(
            f"{of.file} gives {of.rows[names[i]][j]!r} as {of.columns[j]} of {names[i]!r}, which "
            f"is not {rule}. Leave a row out where it is not known."
        )
    return values.astype(np.float32)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _text(path: Path) -> str:
    """The whole file, of a few tens of megabytes at most; a byte order mark is left out."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"there is no {path.name} in {path.parent.name}. Put it there, or name another folder."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read as text ({type(error).__name__}). Save it as UTF-8."
        ) from error


def _lines(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(_text(path).splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{path.name} is no table ({error}). Save it as CSV.") from error
