"""The commands that measure: demo, verify, evaluate."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.commands import demo, evaluate, experiment, protect, report, verify
from facecrafter.commands.report import measured_tradeoff
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.errors import NumericalError, SettingError
from facecrafter.inversion import Descent
from facecrafter.paper.cells import Table
from facecrafter.paper.scenes import Scene
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.published import PUBLISHED
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import tiny
from facecrafter.paper.verify import Verdict
from facecrafter.training.continued import Continuation
from small_bundle import QUICK, STAND_IN, make_bundle


def test_demo_writes_one_page_that_needs_nothing_else(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PAINTED", 2)
    words = ("demo", "--bundle", bundle, "--results", "none", *QUICK)
    code, out, _ = run(*words)
    page = Path("demo/report.html").read_text()
    assert code == 0
    assert "report.html" in out
    assert page.count("data:image/png;base64,") == 3 * 7  # the portrait and two painted faces
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "prefers-color-scheme: dark" in page
    assert "painted" in page
    assert "facecrafter evaluate" in page  # there are no results yet

    def forbidden(*_: object) -> None:
        raise AssertionError("the second run computes nothing")

    monkeypatch.setattr(experiment, "_reconstructions", forbidden)
    assert run(*words)[0] == 0
    assert Path("demo/report.html").read_text() == page


def test_the_demo_says_why_results_cannot_be_shown(run: Run, bundle: Path, photos: Path) -> None:
    Path("results").mkdir()
    Path("results/bad.json").write_text("{}")
    assert run("demo", "--images", photos / "person-0.png", "--bundle", bundle, *QUICK)[0] == 0
    assert "bad.json is no result" in Path("demo/report.html").read_text()


def test_demo_on_ones_own_photographs(run: Run, bundle: Path, photos: Path) -> None:
    code, out, _ = run("demo", "--images", photos, "--bundle", bundle, "--json", *QUICK)
    facts = json.loads(out)
    assert code == 0
    assert facts["faces"] == 4
    assert set(facts["crafted"]) == {"white-box", "black-box", "hybrid"}
    assert "yours" in Path(facts["report"]).read_text()


def test_the_page_says_which_defence_it_shows(run: Run, bundle: Path, photos: Path) -> None:
    pages = {}
    for settings, other in ((QUICK, "StandIn"), (STAND_IN, "Crafter")):
        words = ("demo", "--images", photos / "person-0.png", "--bundle", bundle, *settings)
        assert run(*words)[0] == 0
        pages[other] = Path("demo/report.html").read_text()
        assert f"after {other}" not in pages[other]
        assert f"<strong>{other}</strong>" not in pages[other]
    assert "after StandIn" in pages["Crafter"]
    assert "after Crafter" in pages["StandIn"]


def test_a_damaged_kept_result_is_computed_again(run: Run, bundle: Path, photos: Path) -> None:
    words = ("demo", "--images", photos / "person-0.png", "--bundle", bundle, *QUICK)
    assert run(*words)[0] == 0
    page = Path("demo/report.html").read_bytes()
    (kept,) = Path("demo/computed").glob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    assert run(*words)[0] == 0
    assert Path("demo/report.html").read_bytes() == page


def test_verify_gives_a_row_for_each_photograph_and_one_verdict(
    run: Run, bundle: Path, photos: Path
) -> None:
    code, out, _ = run("verify", photos, "--bundle", bundle, *QUICK)
    assert all(f"person-{i}.png" in out for i in range(4))
    assert out.count("Verdict:") == 1
    assert "By chance alone" in out
    assert code == (0 if "Verdict: hidden" in out else 3)
    code, out, _ = run("verify", photos, "--bundle", bundle, "--json", *QUICK)
    facts = json.loads(out)
    assert len(facts["photographs"]) == 4
    told = {"photograph", *(part.name for part in fields(Verdict))}
    assert facts["photographs"][0].keys() == told
    assert facts["passes"] == 0.5  # as the small bundle says


def test_verify_keeps_what_it_remembers_unguessable(run: Run, bundle: Path, photos: Path) -> None:
    words = ("verify", photos, "--bundle", bundle, *QUICK, "--memory", "memory.db")
    code, _, err = run(*words, "--seed", "0")
    assert code == 2
    assert "--memory" in err
    assert not Path("memory.db").exists()
    assert run(*words)[0] in (0, 3)
    assert Path("memory.db").exists()


def test_verify_judges_the_defence_that_was_chosen(
    run: Run, bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protect, "LEAST", 0.0)  # an untrained prior draws nearly one face only
    words = ("verify", photos, "--bundle", bundle, "--seed", "0", "--strangers", "4", "--json")
    found = [json.loads(run(*words, *settings)[1]) for settings in (QUICK, STAND_IN)]
    assert [one["defence"] for one in found] == ["crafter", "stand-in"]
    assert found[1]["reading"] == "signature"
    similar = [[row["similarity"] for row in one["photographs"]] for one in found]
    plain = [[row["plain_similarity"] for row in one["photographs"]] for one in found]
    assert plain[0] == plain[1]
    assert similar[0] != similar[1]


def test_what_diverges_is_not_called_hidden(
    run: Run, bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(*_: object) -> object:
        raise NumericalError("the search diverged.")

    monkeypatch.setattr(verify, "verify", diverges)
    code, out, err = run("verify", photos, "--bundle", bundle, *QUICK)
    assert code == 3
    assert not out
    assert "diverged" in err


def test_verify_uses_the_decoders_beside_the_bundle(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, counts = verify.verify, list[int]()

    def noted(*given: object) -> object:
        counts.append(len(given[4]))  # type: ignore[arg-type]
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(verify, "verify", noted)
    main = make_bundle(tmp_path / "bundles/small")
    for number in (1, 2):
        make_bundle(tmp_path / f"bundles/small-shadow{number}")
    assert run("verify", photos, "--bundle", main, *QUICK)[0] in (0, 3)
    assert counts == [2]


@pytest.fixture
def small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid of two defences and two threats, on a tiny scene in the place of LFW."""
    both = (Plain(), Noise(1.0))
    search = LatentSearch(Descent(2, 0.1), restarts=1)
    attack = Continued(ShadowDecoder(1), "decoders", Continuation(epochs=1, batch=4), 9, 1)
    basic = (Threat("white-box", search), Threat("black-box", ShadowDecoder(1), "black-box"))
    learning = Threat("black-box A1", attack, "black-box")
    table = replace(LFW64, defences=both, threats=basic, reported={})
    published = replace(PUBLISHED, defences=(Plain(),), threats=basic)
    adaptive = replace(LFW64_ADAPTIVE, defences=both, threats=(*basic, learning))

    def scene(*_: object, **__: object) -> Scene:
        return replace(tiny(decoders=3), name=LFW64.scene)  # the bundle's and two shadows

    def few(*_: object) -> Scene:
        return replace(tiny(decoders=3).some(5), name=PUBLISHED.scene)

    def quick(decoders: int) -> dict[str, Threat]:
        box = replace(basic[1], attack=ShadowDecoder(restarts=decoders))
        return {one.name: one for one in (basic[0], box, learning)}

    monkeypatch.setattr(report, "LFW64", table)
    monkeypatch.setattr(evaluate, "lfw64", scene)
    monkeypatch.setattr(evaluate, "lfw64_batch", few)
    monkeypatch.setattr(evaluate, "all_threats", quick)
    for name, one in (("grid", table), ("published", published), ("adaptive", adaptive)):
        monkeypatch.setitem(evaluate.TABLES, name, one)


@pytest.mark.usefixtures("small_table")
def test_evaluate_measures_once_and_writes_the_page(run: Run) -> None:
    words = ("evaluate", "--root", "LFW", "--seeds", "0", "--json")
    code, out, _ = run(*words, "--only", "Noise")
    assert code == 0
    assert json.loads(out)["measured"] == 2
    code, out, _ = run(*words)
    facts = json.loads(out)
    assert code == 0
    assert (facts["measured"], facts["kept"]) == (2, 2)
    assert len(list(Path("results").glob("*.json"))) == 4
    page = Path("docs/results.md").read_text()
    assert "Noise" in page
    assert "4 cells of the table are not measured yet" in page  # those of the other seed
    measured = measured_tradeoff(Path("results"), Path("drawn"))
    assert measured
    assert measured.picture
    assert measured.picture.startswith("data:image/svg+xml;base64,")
    assert measured.panels == ("white-box", "black-box", "strongest")
    assert measured.faces == "9"
    assert measured_tradeoff(Path("none"), Path("drawn")) is None


@pytest.mark.usefixtures("small_table")
def test_a_stored_figure_is_held_against_a_new_one(run: Run) -> None:
    words = ("evaluate", "--root", "LFW", "--seeds", "0", "--json")
    code, _, err = run(*words, "--recheck", "--only", "Plain")
    assert code == 1
    assert "none of 2 cells is stored in 'results'" in err
    run(*words, "--only", "Plain")
    first, _ = sorted(Path("results").glob("*.json"))
    as_it_was = first.read_bytes()
    first.with_name(f"{first.stem.rpartition('_')[0]}_{'0' * 16}.json").write_bytes(as_it_was)
    before = sorted(Path("results").rglob("*"))
    Path("docs/results.md").write_text("mine")
    code, out, _ = run(*words, "--recheck")  # of all four cells
    facts = json.loads(out)
    assert (code, facts["asked_for"], facts["compared"]) == (0, 4, 2)
    assert (facts["kept"], facts["too_far"]) == (0, 0)
    assert all(cell["ssim"] == cell["faces_that_differ"] == 0 for cell in facts["cells"])
    assert sorted(Path("results").rglob("*")) == before  # not even the second one of a cell moved
    assert first.read_bytes() == as_it_was
    assert Path("docs/results.md").read_text() == "mine"
    assert [*Path("runs/work/recheck").rglob("*.safetensors")]  # released once more
    _, out, _ = run(*words, "--recheck")
    assert json.loads(out)["kept"] == 2
    with pytest.raises(SettingError, match="--spot-check does not"):
        evaluate.Evaluate(root=Path("LFW"), recheck=True, spot_check=True).run()


@pytest.mark.usefixtures("small_table")
def test_a_figure_that_is_too_far_is_told(run: Run) -> None:
    words = ("evaluate", "--root", "LFW", "--seeds", "0", "--only", "Plain")
    run(*words)
    first, _ = sorted(Path("results").glob("*.json"))
    record = json.loads(first.read_text())  # somebody's better figure
    record["outcome"]["ssim"] -= 0.06  # of nine faces .053 is tolerated
    seen = record["outcome"]["recognised"]
    record["outcome"]["recognised"] = str(1 - int(seen[0])) + seen[1:]
    first.write_text(json.dumps(record))
    code, out, err = run(*words, "--recheck")
    assert code == 1
    assert "2 of 2 cells are stored and were measured anew; 1 are farther apart" in out
    assert err.count("TOO FAR") == 1
    assert "1 of 9 faces differ" in err
    assert json.loads(first.read_text()) == record
    record["outcome"]["ssim"] += 0.01
    first.write_text(json.dumps(record))
    code, out, _ = run(*words, "--recheck")
    assert code == 0
    assert "2 were measured by an earlier --recheck" in out


@pytest.mark.usefixtures("small_table")
def test_the_authors_settings_have_a_page_of_their_own(run: Run) -> None:
    Path("README.md").write_text("<!-- results -->\nold\n<!-- /results -->\n")
    code, out, _ = run("evaluate", "--root", "LFW", "--table", "published", "--json")
    assert code == 0
    assert json.loads(out)["measured"] == 2 * len(PUBLISHED.seeds)  # seeds and threats
    assert "on 5\nprivate test photographs" in Path("docs/published.md").read_text()
    assert not Path("docs/results.md").exists()
    assert "old" in Path("README.md").read_text()


@pytest.mark.usefixtures("small_table")
def test_evaluate_says_what_there_is_to_measure(run: Run) -> None:
    code, _, err = run("evaluate", "--root", "LFW", "--only", "Nonsense")
    assert code == 1
    assert "Noise" in err
    assert "white-box" in err


@pytest.mark.usefixtures("small_table")
def test_adaptive_attackers_have_a_page_of_their_own(run: Run) -> None:
    Path("README.md").write_text("<!-- results -->\nold\n<!-- /results -->\n")
    assert run("evaluate", "--root", "LFW", "--only", "Noise", "--seeds", "0", "1")[0] == 0
    code, out, err = run("evaluate", "--root", "LFW", "--table", "adaptive", "--json")
    assert code == 0, err
    assert (json.loads(out)["measured"], json.loads(out)["kept"]) == (2 + 2, 2)
    page = Path("docs/adaptive.md").read_text()
    assert "black-box A1" in page
    assert "Each figure is of one seed" in page  # the other tables' second seed is not mixed in
    assert "black-box A1" not in Path("docs/results.md").read_text()
    assert "A1" not in Path("README.md").read_text()


def test_each_table_has_its_attackers_and_a_page() -> None:
    def listed(name: str) -> Table:
        (one,) = evaluate.Evaluate(root=Path("LFW"), table=name, shadows=()).listed()  # type: ignore
        return one

    names = ["white-box", "black-box", "hybrid"]
    learning = ["white-box A1", "black-box A1", "deep decoder A1", "answers alone A1"]
    behind = [f"purified {name} A1" for name in names]
    assert [t.name for t in listed("grid").threats] == names
    told = ["identity decoder A1", "consensus A1"]
    assert [t.name for t in listed("adaptive").threats] == [*names, *learning, *behind, *told]
    assert [t.name for t in listed("averaging").threats][2:4] == ["white-box A3", "black-box A3"]
    one = [f"{name}, one decoder" for name in names[1:]]
    sent = [f"{name}, where sent" for name in (names[0], one[1])]
    assert [t.name for t in listed("rivals").threats] == [names[0], *one, *learning[1:3], *sent]
    for name, table in evaluate.TABLES.items():
        page = {"grid": "results"}.get(name, name)
        assert listed(name).page == page
        asked = "LFW" if name == "grid" else f"--table {name}"
        assert asked in listed(name).command
        assert (Path(__file__).parents[1] / "docs" / f"{page}.md").exists()
        assert table.headline == (name == "grid")


def test_cells_are_chosen_by_defence_and_threat() -> None:
    asked = evaluate.Evaluate(
        root=Path("LFW"), table="averaging", shadows=(), defences="Noise", threats="matched"
    )
    assert {(type(c.defence).__name__, c.threat.name) for c in asked.cells()} == {
        (name, f"{box} A3, matched")
        for name in ("Noise", "Shuffled")
        for box in ("white-box", "black-box")
    }
    with pytest.raises(SettingError, match="--defences 'Noise', --threats 'A9'"):
        replace(asked, threats="A9").cells()


@pytest.mark.parametrize("words", [{"table": "all"}, {"defences": "all"}, {"threats": "all"}])
def test_the_matrix_is_all_tables_of_the_bundles_encoder(words: dict[str, str]) -> None:
    whole = evaluate.Evaluate(root=Path("LFW"), shadows=(), **words)  # type: ignore[arg-type]
    pages = [table.page for table in whole.listed()]
    others = {"published", "general", "priors"}  # other faces, another encoder, generators
    assert set(pages) == {table.page for table in evaluate.TABLES.values()} - others
    cells = whole.cells()
    assert len(cells) == len({str(cell) for cell in cells})
    every = [cell for table in whole.listed() for cell in table.cells()]
    assert {str(cell) for cell in cells} == {str(cell) for cell in every}
    assert len(cells) < len(every)  # tables share some
    assert any(cell.reported for cell in cells)
    given = replace(whole, priors=Path("priors"))
    assert "priors" in [table.page for table in given.listed()]
    grid = replace(whole, table="grid")
    assert [table.page for table in grid.listed()] == ["results"]
    assert len(grid.cells()) == len(grid.listed()[0].cells())


@pytest.mark.usefixtures("small_table")
def test_all_tables_are_measured_in_one_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(evaluate.TABLES) - {"grid", "published", "adaptive"}:
        monkeypatch.delitem(evaluate.TABLES, name)  # type: ignore[arg-type]
    words = ("evaluate", "--root", "LFW", "--defences", "all", "--threats", "all", "--json")
    code, out, err = run(*words)
    assert code == 0, err
    facts = json.loads(out)
    assert facts["pages"] == ["docs/results.md", "docs/adaptive.md"]
    grid, learning = 2 * 2 * 2, 2  # defences, threats, seeds; the first two tables share a seed
    assert (facts["measured"], facts["kept"]) == (grid + learning, 0)
    again = json.loads(run(*words)[1])
    assert (again["measured"], again["kept"]) == (0, grid + learning)


@pytest.mark.usefixtures("small_table")
def test_ctrl_c_keeps_measured_cells(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate.evaluate

    def stopped(*given: object) -> object:
        yield next(whole(*given))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", stopped)
    code, _, err = run("evaluate", "--root", "LFW", "--seed", "0")
    assert code == 130
    assert "Traceback" not in err
    assert len(list(Path("results").glob("*.json"))) == 1
