"""`facecrafter report`: all pages of results as one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.commands import pages
from facecrafter.paper.album import Strip, shown
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tiny import tiny
from made_records import record

RESULTS = """\
# All <of> it

| defence | any |
| --- | --- |
| Plain | 95 % |

![Trade-off](figures/results.svg)

More [further down](#below), in [adaptive](adaptive.md), [trials](trials.md) and [the paper](https://example.org/paper).

<script>alert(1)</script>

## Below
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs/figures").mkdir(parents=True)
    (tmp_path / "docs/results.md").write_text(RESULTS)
    (tmp_path / "docs/adaptive.md").write_text("# Who learns\n\nMuch.\n")
    (tmp_path / "docs/trials.md").write_text("# Trials\n\nNot measured whole.\n")
    (tmp_path / "docs/figures/results.svg").write_text("<svg/>")
    return tmp_path / "docs"


def test_one_page_has_all_and_needs_nothing_else(run: Run, docs: Path) -> None:
    code, out, _ = run("report", "--docs", docs, "--json")
    facts = json.loads(out)
    html = Path(facts["out"]).read_text()
    assert code == 0
    assert facts["pages"] == ["results", "adaptive"]
    assert "<h2>All &lt;of&gt; it</h2>" in html
    assert '<h3 id="results-below">Below</h3>' in html
    assert '<a href="#results-below">further down</a>' in html
    assert "<td>95 %</td>" in html
    assert 'src="data:image/svg+xml;base64,' in html
    assert '<a href="#adaptive">adaptive</a>' in html
    assert '<section id="adaptive">' in html
    assert 'href="https://example.org/paper"' in html
    assert "trials.md" not in html  # a link to what the reader has not
    assert ", trials and" in html
    assert "Not measured whole" not in html
    assert "<script>" not in html
    assert "Pictures" not in html
    for outside in ('src="http', "<link", "url("):
        assert outside not in html


def test_a_folder_without_pages_is_told(run: Run, tmp_path: Path) -> None:
    code, _, err = run("report", "--docs", tmp_path)
    assert code == 1
    assert "facecrafter evaluate" in err
    assert not Path("report.html").exists()


def test_a_missing_figure_is_named(run: Run, docs: Path) -> None:
    (docs / "figures/results.svg").unlink()
    code, _, err = run("report", "--docs", docs)
    assert code == 1
    assert "results.svg" in err
    assert not Path("report.html").exists()


def test_pictures_of_what_attackers_made(
    run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scene(*_: object) -> Scene:
        return replace(tiny(decoders=3), name=LFW64_ADAPTIVE.scene)

    table = replace(LFW64_ADAPTIVE, threats=LFW64_ADAPTIVE.threats[1:2])
    monkeypatch.setattr(pages, "lfw64", scene)
    monkeypatch.setattr(pages, "LFW64_ADAPTIVE", table)
    found = measure(table.cells()[0], scene(), Store(Path("results"), Path("work")))
    words = ("report", "--docs", docs, "--root", "LFW", "--work", "work", "--faces", "3")
    code, out, err = run(*words, "--json")
    assert code == 0, err
    assert json.loads(out)["grids"] == ["black-box"]
    html = Path("report.html").read_text()
    share = 100 * found.outcome["eval_acc"]
    assert "<h3>black-box</h3>" in html
    assert html.index("<td>photographs</td>") < html.index(f"<td>Plain: {share:.0f} %</td>")
    assert html.count("data:image/png") == 2
    assert "3 test photographs" in html
    made = Strip(found, scene().private_test.images(shown(scene(), 3)))
    ((row,),) = pages._by_attack([made]).values()
    assert row.picture in html  # the photographs themselves
    assert Path(docs / "reproduction.md").exists()
    assert '<section id="reproduction">' in html


def test_pictures_are_a_grid_for_each_attack() -> None:
    faces = tiny().private_test.images([0, 1])
    strips = [
        Strip(record(name, strength, threat, 0), faces)
        for name, strength in (("Plain", None), ("Noise", 1.0))
        for threat in ("white-box", "hybrid")
    ]
    grids = pages._by_attack(strips)
    labels = {attack: [row.label for row in rows] for attack, rows in grids.items()}
    assert labels == {
        "white-box": ["Plain: 70 %", "Noise: 40 %"],
        "hybrid": ["Plain: 80 %", "Noise: 30 %"],
    }


def test_more_faces_than_there_are_are_refused(
    run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "lfw64", lambda *_: tiny())
    code, _, err = run("report", "--docs", docs, "--root", "LFW", "--faces", "500")
    assert code == 1
    assert "500 faces" in err


def test_help_teaches(run: Run) -> None:
    code, out, _ = run("report", "--help")
    assert code == 0
    assert "Example: facecrafter report" in out
