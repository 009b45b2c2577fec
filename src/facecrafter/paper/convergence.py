"""Whether an attacker who takes twice the trouble gains by it, in sentences."""

from collections.abc import Mapping

HELPS = 2  # points that twice the trouble must add to help; ours

Gain = tuple[float, str]  # points that the doubling adds, and the same in words


def sentences(of: str, gains: Mapping[str, Gain | None]) -> str:
    """Which have not converged, which have, and of which it is not known; "" for none.

    `of`: what is doubled, such as "steps". `gains`: for each attack, by name; None = not known.
    """
    told = {name: f"{name} ({gain[1]})" for name, gain in gains.items() if gain}
    helped = [told[name] for name, gain in gains.items() if gain and gain[0] > HELPS]
    settled = [told[name] for name, gain in gains.items() if gain and not gain[0] > HELPS]
    unknown = [name for name, gain in gains.items() if gain is None]
    texts = (
        f"**Not converged**, as twice the {of} still add more than {HELPS} points, so the "
        "figure is a lower bound on what the attacker can do",
        f"Converged, as twice the {of} add no more than {HELPS} points",
        f"Not known, as half of the most {of} was not measured",
    )
    kinds = zip(texts, (helped, settled, unknown), strict=True)
    return " ".join(f"{text}: {'; '.join(names)}." for text, names in kinds if names)


def gained(before: float, after: float) -> float:
    """Points, as they are printed. `before`, `after`: Eval Acc, 0 to 1."""
    return round(100 * (after - before), 1)
