"""`facecrafter report`: the index of the paper's figures, and all pages of results as one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from facecrafter.commands.attack import png
from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.evaluate import TABLES
from facecrafter.commands.files import write
from facecrafter.commands.prepared import DEFAULT, in_project, shadows_of
from facecrafter.commands.rendering import data_uri, render
from facecrafter.errors import ResultError
from facecrafter.paper import choosing_page
from facecrafter.paper.album import Strip, shown, strips
from facecrafter.paper.kept import Kept
from facecrafter.paper.points import by_label
from facecrafter.paper.reproduction_page import write_page
from facecrafter.paper.scenes import lfw64
from facecrafter.paper.store import Store
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.pictures import sheet
from facecrafter.types import Images

PAGES = (
    "how-to-choose",
    "reproduction",
    *(table.page for table in TABLES.values()),
    "exposure",
    "development",
    "augmentation",
    "bound",
    "azure",
    "performance",
)


@dataclass(frozen=True)
class Page:
    """One document as HTML."""

    name: str  # of its file, without .md; its anchor
    title: str
    body: str


@dataclass(frozen=True)
class Shown:
    """A row of pictures."""

    label: str
    picture: str  # data URI


@dataclass(frozen=True)
class Grid:
    """What one attack makes of each defence: a column for each person (Figures 2, 27, 28)."""

    attack: str
    rows: Sequence[Shown]  # the photographs first


@dataclass(frozen=True, kw_only=True)
class Report(AbstractCommand):
    """Put all measured pages on one HTML page with its figures, which needs no network.

    Reads what `evaluate`, `expose`, `develop`, `augment`, `locate`, `bound` and `azure` wrote.
    First it writes an index of the paper's tables and figures, measured beside reported, and its
    Figures 5 to 15 from --results to --docs (reproduction.md), and which defence to take
    (how-to-choose.md). With --root it also shows some test
    photographs and what each attack made of each defence, as in the paper's Figures 2 and 27, as
    far as --work still holds the faces; such a report shows people, so mind whom you give it to.
    Nothing is measured anew.

    Example: facecrafter report --out report.html
    """

    docs: Path = Path("docs")  # folder of the pages and of their figures
    out: Path = Path("report.html")  # file to write
    root: Path | None = None  # folder that holds lfw-deepfunneled; None = no pictures of faces
    faces: int = 8  # photographs to show, with --root; ours
    bundle: Path = DEFAULT  # folder of networks; ours
    results: Path = Path("results")  # folder of measured cells
    work: Path = Path("runs/work")  # folder of reconstructions, as `evaluate` left it
    cache: Path = Path("runs/crops")  # folder for decoded crops, to be read once

    def run(self) -> Outcome:
        kept = Kept(self.results, self.docs)
        write_page(kept)
        choosing_page.write_page(kept)
        found = [self.docs / f"{name}.md" for name in PAGES if (self.docs / f"{name}.md").is_file()]
        if not found:
            raise ResultError(
                f"no page of results in {self.docs.name!r}: it has none of "
                f"{', '.join(f'{name}.md' for name in PAGES)}. Run `facecrafter evaluate`, or name "
                "their folder with --docs."
            )
        names = [path.stem for path in found]
        pages = [page(path, names) for path in found]
        album = self._album()
        html = render("pages.html", pages=pages, album=album, faces=self.faces)
        write(self.out, html.encode())
        pictures = f", {len(album)} grids of pictures" if album else ""
        return Outcome(
            f"{len(pages)} pages{pictures}: {self.out}",
            {"out": str(self.out), "pages": names, "grids": [grid.attack for grid in album]},
        )

    def _album(self) -> list[Grid]:
        if self.root is None:
            return []
        device, bundle = str(self.common.torch_device()), in_project(self.bundle)
        scene = lfw64(self.root, bundle, shadows_of(self.bundle), self.cache, device)
        rows = shown(scene, self.faces)
        found = list(strips(LFW64_ADAPTIVE, scene, Store(self.results, self.work), rows))
        original = Shown("photographs", _row(scene.private_test.images(rows)))
        return [Grid(attack, [original, *some]) for attack, some in _by_attack(found).items()]


def page(path: Path, names: Sequence[str]) -> Page:
    """A document as HTML, figures within; `names` are those that its links may lead to.

    Raises `ResultError` for one that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"{path.name} cannot be read ({error}). Write it again.") from error
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    title = tokens[1].content if tokens and tokens[0].tag == "h1" else path.stem
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens
    for number, token in enumerate(body):
        if token.type == "heading_open":
            token.attrs["id"] = f"{path.stem}-{_slug(body[number + 1].content)}"
        _lower(token)
        if token.children:
            token.children = list(_within(token.children, path, names))
    return Page(path.stem, title, reader.renderer.render(body, reader.options, {}))


def _lower(token: Token) -> None:
    """The report has a heading above the document's; wide tables scroll."""
    level = re.fullmatch(r"h([1-5])", token.tag)
    if level:
        token.tag = f"h{int(level[1]) + 1}"


def _slug(heading: str) -> str:
    """What a link within a document calls a heading."""
    return re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-"))


def _within(tokens: Sequence[Token], path: Path, names: Sequence[str]) -> Iterator[Token]:
    """Figures stand within, links lead to other parts of the report; others are text alone."""
    kept = True
    for token in tokens:
        if token.type == "image":
            _embed(token, path.parent)
        elif token.type == "link_open":
            kept = _lead(token, path.stem, names)
        if kept or token.type not in ("link_open", "link_close"):
            yield token


def _embed(token: Token, folder: Path) -> None:
    figure = folder / str(token.attrs["src"])
    try:
        token.attrs["src"] = data_uri(figure.read_bytes(), "svg+xml")
    except OSError as error:
        raise ResultError(
            f"the figure {figure.name} cannot be read ({error.strerror}). Run the command that "
            "wrote its page again."
        ) from error


def _lead(token: Token, own: str, names: Sequence[str]) -> bool:
    """Whether a link leads to something that the reader of the report has; `own`: its page."""
    target = str(token.attrs["href"])
    name = target.removesuffix(".md")
    if name in names:
        token.attrs["href"] = f"#{name}"
    elif target.startswith("#"):
        token.attrs["href"] = f"#{own}-{target[1:]}"
    return name in names or target.startswith(("#", "https://"))


def _by_attack(found: Sequence[Strip]) -> Mapping[str, list[Shown]]:
    """Rows named as the tables name their defences, with the share that is recognised."""
    labels = {id(r): label for label, rs in by_label([s.record for s in found]).items() for r in rs}
    grids: dict[str, list[Shown]] = {}
    for strip in found:
        share = 100 * strip.record.outcome["eval_acc"]
        told = f"{labels[id(strip.record)]}: {share:.0f} %"
        grids.setdefault(strip.record.threat["name"], []).append(Shown(told, _row(strip.faces)))
    return grids


def _row(faces: Images) -> str:
    return data_uri(png(sheet(faces, columns=len(faces))))
