"""The worst of all attacks, for the README and the first page."""

from dataclasses import replace
from pathlib import Path

from facecrafter.paper.cells import Table
from facecrafter.paper.headline import fill_readme, headline, in_short
from facecrafter.paper.report import write_report
from facecrafter.paper.store import Record, Store
from made_records import RECORDS


def test_the_headline_is_the_strongest_setting_that_drops_little(tmp_path: Path) -> None:
    told = headline(RECORDS)
    assert told
    assert "on 100 private test photographs" in told
    # drops by just 0.05
    assert "| no defence | `Crafter strength 0.3`: knows no question |" in told
    strongest = "91.0 ± 1.0 % (black-box) | 21.0 ± 1.0 % (black-box) |"
    assert f"| faces recognised, strongest basic attack | {strongest}" in told
    assert "| faces recognised, any of these attacks |" in told
    assert "(of 3)" in told
    assert "the mean over 2 seeds" in told
    lower = [
        replace(r, outcome={**r.outcome, "auc": 0.89}) if r.defence.get("strength") == 0.3 else r
        for r in RECORDS
    ]
    assert "`Crafter strength 3`" in (headline(lower) or "")
    far = [
        replace(r, outcome={**r.outcome, "auc": r.outcome["auc"] + 0.03})
        if r.defence["name"] == "Plain"
        else r
        for r in lower
    ]
    assert "`Crafter strength 3`" in (headline(far) or "")  # 0.05 at the least
    assert headline([r for r in RECORDS if r.defence["name"] != "Plain"]) is None
    assert headline([]) is None


def test_the_readme_gets_the_headline_and_stays_else(
    full: Table, store: Store, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    fill_readme(full, store, readme)
    assert not readme.exists()
    for number, one in enumerate(RECORDS):
        store.write(f"{number:016}", one)
    readme.write_text("a\n<!-- results: x -->\nold\n<!-- /results -->\nb\n")
    fill_readme(full, store, readme)
    told = readme.read_text()
    assert told.startswith(f"a\n<!-- results: x -->\n{headline(RECORDS)}")
    assert told.endswith("<!-- /results -->\nb\n")
    assert "old" not in told
    readme.write_text("no marks")
    fill_readme(full, store, readme)
    assert readme.read_text() == "no marks"


def learnt(one: Record, name: str, eval_acc: float) -> Record:
    """A record of the same, under an attack that learns."""
    outcome = {**one.outcome, "eval_acc": eval_acc, "eval_acc_low": 0.7, "eval_acc_high": 0.9}
    return replace(one, threat={"name": name}, outcome=outcome)


def test_a_defence_is_as_weak_as_the_strongest_attack_that_was_tried() -> None:
    """And where nobody learnt from it, that is said, instead of a figure that flatters."""
    ours = next(r for r in RECORDS if r.defence.get("strength") == 0.3)
    rows = (headline([*RECORDS, learnt(ours, "deep decoder A1", 0.8)]) or "").splitlines()
    told = {row.split(" | ")[0]: row for row in rows}
    assert (
        "| not measured | 80.0 % (deep decoder A1) |"
        in told["| faces recognised, strongest attack that learns (A1)"]
    )
    assert "| not measured | 70.0 to 90.0 % |" in told["| the strongest of these, 95 % interval"]
    alone = headline([*RECORDS, learnt(ours, "answers alone A1", 0.25)]) or ""
    assert "from the cloud's answers alone | not measured | 25.0 % (answers alone A1) |" in alone


def test_the_first_page_begins_with_it(full: Table, store: Store, tmp_path: Path) -> None:
    assert in_short(full, store) == []
    for number, one in enumerate(RECORDS):
        store.write(f"{number:016}", one)
    page = write_report(replace(full, headline=True), store, tmp_path).read_text()
    assert page.index("## In short") < page.index("## Eval Acc and AUC")
    assert "## In short" not in write_report(full, store, tmp_path).read_text()
