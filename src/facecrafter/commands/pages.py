"""`facecrafter report`: all pages of results as one, to read and to hand on."""

import re
from collections.abc import Iterator, Sequence
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
from facecrafter.paper.album import Strip, shown, strips
from facecrafter.paper.points import by_label
from facecrafter.paper.scenes import lfw64
from facecrafter.paper.store import Store
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.pictures import sheet
from facecrafter.types import Images

PAGES = (
    *(table.page for table in TABLES.values()),
    "exposure",
    "development",
    "augmentation",
    "azure",
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


@dataclass(frozen=True, kw_only=True)
class Report(AbstractCommand):
    """Put all measured pages on one HTML page with its figures, which needs no network.

    Reads what `evaluate`, `expose`, `develop`, `augment` and `azure` wrote. With --root it also
    shows some test photographs and what attackers made of them, as far as --work still holds the
    faces; such a report shows people, so mind whom you give it to. Nothing is measured anew.

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
        pictures = f", {len(album)} rows of pictures" if album else ""
        return Outcome(
            f"{len(pages)} pages{pictures}: {self.out}",
            {"out": str(self.out), "pages": names, "rows": len(album)},
        )

    def _album(self) -> list[Shown]:
        if self.root is None:
            return []
        device, bundle = str(self.common.torch_device()), in_project(self.bundle)
        scene = lfw64(self.root, bundle, shadows_of(self.bundle), self.cache, device)
        rows = shown(scene, self.faces)
        found = list(strips(LFW64_ADAPTIVE, scene, Store(self.results, self.work), rows))
        original = Shown("photographs", _row(scene.private_test.images(rows)))
        return [original, *_labelled(found)]


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
    for token in body:
        _lower(token)
        if token.children:
            token.children = list(_within(token.children, path.parent, names))
    return Page(path.stem, title, reader.renderer.render(body, reader.options, {}))


def _lower(token: Token) -> None:
    """The report has a heading above the document's; wide tables scroll."""
    level = re.fullmatch(r"h([1-5])", token.tag)
    if level:
        token.tag = f"h{int(level[1]) + 1}"


def _within(tokens: Sequence[Token], folder: Path, names: Sequence[str]) -> Iterator[Token]:
    """Figures stand within, links lead to other parts of the report; others are text alone."""
    kept = True
    for token in tokens:
        if token.type == "image":
            _embed(token, folder)
        elif token.type == "link_open":
            kept = _lead(token, names)
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


def _lead(token: Token, names: Sequence[str]) -> bool:
    """Whether a link leads to something that the reader of the report has."""
    target = str(token.attrs["href"])
    name = target.removesuffix(".md")
    if name in names:
        token.attrs["href"] = f"#{name}"
    return name in names or target.startswith("https://")


def _labelled(found: Sequence[Strip]) -> Iterator[Shown]:
    """Rows named as the tables name their cells, with the share that is recognised."""
    labels = {id(r): label for label, rs in by_label([s.record for s in found]).items() for r in rs}
    for strip in found:
        share = 100 * strip.record.outcome["eval_acc"]
        told = f"{labels[id(strip.record)]}, {strip.record.threat['name']}: {share:.0f} %"
        yield Shown(told, _row(strip.faces))


def _row(faces: Images) -> str:
    return data_uri(png(sheet(faces, columns=len(faces))))
