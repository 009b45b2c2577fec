"""The blocks of docs/performance.md that the benchmarks fill."""

import re
from collections.abc import Mapping
from pathlib import Path

from facecrafter.errors import ResultError
from facecrafter.paper.files import write_whole


def blocks(page: Path, *names: str) -> None:
    """Raise `ResultError` unless the page has all blocks: before long work, not after it."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    for name in names:
        if not _marks(name).search(text):
            raise ResultError(
                f"{page.name} has no block {name!r}: give a page that holds <!-- {name} --> and "
                f"<!-- /{name} -->, such as docs/performance.md."
            )


def fill(page: Path, texts: Mapping[str, str]) -> None:
    """Put each text between `<!-- NAME -->` and `<!-- /NAME -->`. Raises `ResultError`."""
    blocks(page, *texts)
    whole = page.read_text(encoding="utf-8")
    for name, text in texts.items():
        whole = _marks(name).sub(
            lambda found, text=text: f"{found[1]}\n{text}\n\n{found[3]}", whole
        )
    write_whole(page, whole.encode())


def _marks(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}\b[^>]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


def seconds(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
