"""The section on 1:1 verification tells what was measured, and what was not."""

from dataclasses import replace

from facecrafter.paper import verified
from facecrafter.paper.points import points
from made_records import RECORDS

TOLD = {
    f"{name}{end}": value + more
    for name, value in (("tar_1", 0.3), ("tar_01", 0.1))
    for end, more in (("", 0.0), ("_low", -0.05), ("_high", 0.05))
}


def test_rows_are_those_that_were_verified() -> None:
    some = [r for r in RECORDS if (r.defence["name"], r.threat["name"]) == ("Noise", "hybrid")]
    records = [replace(r, outcome={**r.outcome, **TOLD}) if r in some else r for r in RECORDS]
    found = points(records)
    labels = sorted({point.label for point in found})
    _, how, table, missing = verified.section(found, labels)
    assert "FAR" in how
    rows = table.splitlines()[2:]
    assert len(rows) == len({r.defence["strength"] for r in some})
    assert all("Noise" in row and "| hybrid |" in row for row in rows)
    assert "30.0" in rows[0]
    assert "25.0 to 35.0 %" in rows[0]
    assert missing.startswith(
        f"{len(rows)} of {sum(p.threat not in ('strongest', 'any') for p in found)} "
    )


def test_there_is_no_section_of_nothing() -> None:
    found = points(RECORDS)
    assert not verified.section(found, sorted({point.label for point in found}))
