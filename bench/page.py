"""Tables as Markdown, and the blocks of docs/performance.md that they fill."""

import re
from collections.abc import Sequence
from pathlib import Path

from facecrafter.errors import ResultError


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fill(page: Path, name: str, text: str) -> None:
    """Put the text between `<!-- NAME -->` and `<!-- /NAME -->` of a page. Raises `ResultError`."""
    marks = re.compile(rf"(<!-- {name}\b[^>]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)
    whole = page.read_text(encoding="utf-8")
    if not marks.search(whole):
        raise ResultError(f"{page.name} has no block {name!r}: give a page that has its marks.")
    filled = marks.sub(lambda found: f"{found[1]}\n{text}\n\n{found[3]}", whole)
    page.write_text(filled, encoding="utf-8")
