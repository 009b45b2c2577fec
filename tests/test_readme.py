"""What the documentation shows is run, and what it links to is there."""

import re
import runpy
import sys
from pathlib import Path

import pytest

import facecrafter
from facecrafter.paper.headline import MARKS, of_readme
from facecrafter.paper.store import Store
from facecrafter.paper.tables.lfw64 import LFW64
from small_bundle import make_bundle, make_photographs

PROJECT = Path(__file__).parents[1]
PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]
WRITTEN_LATER = {"results.md"}  # by `facecrafter evaluate`


def blocks(page: Path) -> list[str]:
    """Python of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_five_lines_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bundle(tmp_path / "bundles/lfw64")
    make_photographs(tmp_path / "photos", 3)
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(PROJECT / "README.md")
    lines = [line for line in code.splitlines() if line and not line.startswith("from ")]
    assert len(lines) == 5
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    message = names["message"]
    assert isinstance(message, bytes)
    assert facecrafter.loads(message).shape == (3, 8, 16, 16)


def test_public_names_are_there_in_order_and_no_others() -> None:
    assert facecrafter.__all__ == sorted(facecrafter.__all__)
    assert all(hasattr(facecrafter, name) for name in facecrafter.__all__)
    assert {"Crafter", "Offline", "Shuffled", "dumps", "load_bundle"} <= set(facecrafter.__all__)


def test_the_version_is_one() -> None:
    stated = re.search(r'^version = "(.*)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (.*)$", (PROJECT / "CITATION.cff").read_text(), re.MULTILINE)
    assert stated
    assert cited
    assert stated[1] == cited[1] == facecrafter.__version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        found = target in WRITTEN_LATER or (page.parent / target).exists()
        assert found, f"{page.name} links to {target}"


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    told = of_readme(LFW64, Store(PROJECT / "results", PROJECT))
    assert told  # of a grid that is still being measured, too: what is printed must be measured
    found = MARKS.search((PROJECT / "README.md").read_text())
    assert found
    assert found[2] == told


def test_files_that_the_paper_map_names_exist() -> None:
    page = (PROJECT / "docs/paper-map.md").read_text()
    for name in re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)?(?:\.py|/))`", page):
        assert (PROJECT / "src/facecrafter" / name).exists(), name


def test_the_defence_of_the_docs_is_that_of_the_example() -> None:
    (code,) = blocks(PROJECT / "docs/add-your-own.md")
    assert code in (PROJECT / "examples/your_own_defence.py").read_text()


@pytest.mark.parametrize("path", sorted((PROJECT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(
    path: Path,
    bundle: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len([line for line in path.read_text().splitlines() if line]) < 40
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [path.name, str(bundle), str(photos)])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
