"""Every default number of a recipe says on its line where it is from."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src/facecrafter"
FOLDERS = ("attacks", "commands", "data", "defences", "implicit", "metrics", "models", "training")
SOURCE = re.compile(
    r"\bours\b|\bpaper\b|authors' code|WGAN-GP|torchvision|Wang et al|OpenCV"
    r"|of no influence"
)


def defaults(path: Path) -> list[tuple[int, str]]:
    """Line and name of each field of a frozen dataclass whose default holds a number."""
    return [
        (field.lineno, f"{recipe.name}.{ast.unparse(field.target)}")
        for recipe in ast.walk(ast.parse(path.read_text()))
        if isinstance(recipe, ast.ClassDef) and _is_recipe(recipe)
        for field in recipe.body
        if isinstance(field, ast.AnnAssign) and field.value is not None and _has_number(field.value)
    ]


def _is_recipe(node: ast.ClassDef) -> bool:
    return any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)


def _has_number(value: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, int | float)
        and not isinstance(part.value, bool)
        for part in ast.walk(value)
    )


PATHS = [
    path
    for path in (*PACKAGE.glob("*.py"), *(p for f in FOLDERS for p in (PACKAGE / f).glob("*.py")))
    if defaults(path)
]


@pytest.mark.parametrize("path", sorted(PATHS), ids=lambda path: path.stem)
def test_numbers_say_where_they_are_from(path: Path) -> None:
    lines = path.read_text().splitlines()
    silent = [
        f"{path.stem}:{number} {name}"
        for number, name in defaults(path)
        if not SOURCE.search(lines[number - 1].partition("#")[2])
    ]
    assert not silent, silent


def test_the_recipes_are_seen() -> None:
    names = {name for path in PATHS for _, name in defaults(path)}
    assert {"Crafter.beta", "Noise.deviation", "TargetTraining.epochs"} <= names
