"""Tables of a page, and what stands in them."""

from collections.abc import Sequence

from facecrafter.paper.points import Spread


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(spread: Spread) -> str:
    """With half of the range over the seeds, if there are several."""
    around = f" ± {100 * spread.half:.1f}" if spread.count > 1 else ""
    return f"{100 * spread.mean:.1f}{around} %"


def number(spread: Spread) -> str:
    """Likewise, not in percent."""
    around = f" ± {spread.half:.3f}" if spread.count > 1 else ""
    return f"{spread.mean:.3f}{around}"
