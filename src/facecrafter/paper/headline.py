"""The worst of all attacks that were tried on a few defences: for the README and the first page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from facecrafter.attacks.answered import Answered
from facecrafter.paper import choosing_page, learning
from facecrafter.paper.cells import Table
from facecrafter.paper.figures import UNDEFENDED
from facecrafter.paper.files import write_whole
from facecrafter.paper.markdown import markdown, number, percent
from facecrafter.paper.points import (
    ANY,
    STRONGEST,
    Point,
    by_label,
    curve,
    faces,
    of_seeds,
    points,
    questions,
    records_of,
)
from facecrafter.paper.store import Record, Store
from facecrafter.paper.threats import ADAPTIVE, CONTROLS, OTHER, THREATS, Threat

FAMILIES = {  # and what their column says beside the setting
    "Crafter": "knows no question",
    "Crafter, TaskUtility": "knows some of the questions",
    "StandIn": "knows them too, and sends an average face's feature",
}
TRIED = (*THREATS, *CONTROLS, *ADAPTIVE, *OTHER)  # attacks on one release of a photograph
DROP = 0.05  # of mean AUC that the headline allows; ours
MARKS = re.compile(r"(<!-- results[^>]*-->\n)(.*?)(<!-- /results -->)", re.DOTALL)  # of a README


def fill_readme(table: Table, store: Store, readme: Path) -> None:
    """Put the headline between the marks of a README, where there is one and it has them."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    told = of_readme(table, store)
    if MARKS.search(text) and told:
        filled = MARKS.sub(lambda found: f"{found[1]}{told}{found[3]}", text)
        write_whole(readme, filled.encode())


def of_readme(table: Table, store: Store) -> str | None:
    """What stands between the marks."""
    told = headline(_all(table, store), table.learnt)
    note = (
        "All settings, baselines and attacks are in [docs/results.md](docs/results.md), "
        "attackers who learn in [docs/adaptive.md](docs/adaptive.md)."
    )
    return told and f"{told}\n{note}\n"


def in_short(table: Table, store: Store) -> list[str]:
    """The first paragraphs of the table's page: the headline, and whether learning helps."""
    records = _all(table, store)
    told = headline(records, table.learnt)
    if told is None:
        return []
    found = points(records)
    chosen = [point.label for point in _shown(found)]
    learnt = learning.section(found, chosen)
    rivals = choosing_page.sentence(store.all())
    last = "The rest of this page has basic attacks alone."
    return ["## In short", told.strip(), *learnt, *rivals, last]


def headline(records: Sequence[Record], learnt: Sequence[str] = ()) -> str | None:
    """No defence beside one of each of `FAMILIES`; None while there is nothing to compare."""
    found = points(records)
    shown = _shown(found)
    if len(shown) < 2:
        return None
    labelled = by_label(records)
    both = [{p.threat: p for p in found if p.label == at.label} for at in shown]
    title = f"on {faces(records)} private test photographs of LFW, 64 x 64"
    rows = [*_useful(shown, both, labelled, learnt), *_recognised(both)]
    told = {point.label: FAMILIES[point.family] for point in shown[1:]}
    heads = [f"`{label}`: {knows}" for label, knows in told.items()]
    mine = [record for point in shown for record in labelled[point.label]]
    note = (
        f"Each figure is {of_seeds(mine)}; of one seed where no range stands. The interval is over "
        "people. `any` counts a face that any of the attacks got recognised: more than an attacker "
        "gets, who does not know which of his faces is right."
    )
    return f"{markdown([title, 'no defence', *heads], rows)}\n\n{note}\n"


def _all(table: Table, store: Store) -> list[Record]:
    """Records of the table's defences under all attacks on one release."""
    return records_of(replace(table, threats=TRIED), store)


def _shown(found: Sequence[Point]) -> list[Point]:
    """No defence, and of each family the setting whose AUC drops by nearest to `DROP`, not more.

    Else the one whose AUC drops by the least.
    """
    plain = curve(found, UNDEFENDED, STRONGEST)[:1]
    least = plain[0]["auc"].mean - DROP if plain else 0.0
    lines = [curve(found, name, STRONGEST) for name in FAMILIES]
    return plain and [*plain, *(_nearest(line, least) for line in lines if line)]


def _nearest(line: Sequence[Point], least: float) -> Point:
    """Of a curve the point with the least AUC that is not below `least`, else with the greatest."""
    return next((point for point in line if point["auc"].mean >= least), line[-1])


def _useful(
    shown: Sequence[Point],
    both: Sequence[Mapping[str, Point]],
    labelled: Mapping[str, list[Record]],
    learnt: Sequence[str],
) -> list[list[str]]:
    scored = shown[0].measures.get("auc_attributes")
    attributes = f" of {scored.mean:.0f} attributes" if scored else ""
    most = [max(mine.values(), key=lambda point: point.seeds) for mine in both]
    rows = [[f"mean AUC{attributes}", *(number(point["auc"]) for point in most)]]
    apart = [questions(labelled[point.label], learnt) for point in shown]
    if all(apart):
        rows += [[told, *(number(sides[told]) for sides in apart)] for told in apart[0]]
    return rows


def _recognised(both: Sequence[Mapping[str, Point]]) -> list[list[str]]:
    """Of each defence the worst of what was tried, kind by kind."""
    answers = [threat for threat in ADAPTIVE if isinstance(threat.attack, Answered)]
    kinds = {
        "strongest basic attack": THREATS,
        "strongest other search": (*CONTROLS, *OTHER),
        "strongest attack that learns (A1)": ADAPTIVE,
        "one that learns from the cloud's answers alone": answers,
    }
    rows = [
        [f"faces recognised, {kind}", *(_strongest(mine, of) for mine in both)]
        for kind, of in kinds.items()
    ]
    intervals = [_interval(mine) for mine in both]
    rows.append(["the strongest of these, 95 % interval", *intervals])
    counts = [len(mine.keys() - {STRONGEST, ANY}) for mine in both]
    told = [
        f"{percent(mine[ANY]['eval_acc'])} (of {count})" if ANY in mine else "not measured"
        for mine, count in zip(both, counts, strict=True)
    ]
    return [*rows, ["faces recognised, any of these attacks", *told]]


def _strongest(mine: Mapping[str, Point], kind: Sequence[Threat]) -> str:
    present = [mine[one.name] for one in kind if one.name in mine]
    worst = max(present, key=lambda point: point["eval_acc"].mean, default=None)
    return "not measured" if worst is None else f"{percent(worst['eval_acc'])} ({worst.threat})"


def _interval(mine: Mapping[str, Point]) -> str:
    """Of the strongest attack; of a defence against which nobody learnt that would mislead."""
    if not any(one.name in mine for one in ADAPTIVE):
        return "not measured"
    low, high = (mine[STRONGEST][f"eval_acc_{end}"].mean for end in ("low", "high"))
    return f"{100 * low:.1f} to {100 * high:.1f} %"
