"""Where a figure is from: commit, versions, machine. No host name, no folder."""

import ast
import hashlib
import io
import os
import platform
import re
import subprocess
import tokenize
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = ("facecrafter", "torch", "numpy", "scipy", "scikit-learn", "safetensors")

# Measures that came when there were records already. They stand beside the older ones in an outcome
# and make no figure of these another one, so a key does not follow them.
LATER = ("metrics/verification.py",)


@cache
def commit() -> str | None:
    """The project's commit, with "+" where its files were changed since; None without git."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None  # installed, or git knows of another project here
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "..")
    return head and head + ("+" if changed else "")


def versions() -> dict[str, str]:
    """Python and the packages that figures depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def machine(device: torch.device) -> dict[str, Any]:
    """What a time in seconds depends on."""
    told: dict[str, Any] = {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        told["gpu"] = torch.cuda.get_device_name(device)
    return told


@cache
def code(*parts: str, used_by: frozenset[str] | None = None) -> str:
    """SHA-256 of the package's Python without comments and docstrings; of all of it by default.

    `parts`: folders and modules, such as "attacks" and "inversion". `used_by`: full names of
    modules; of what is in `parts` only they and what they import count, and what that imports. What
    is `LATER` never counts. The text is hashed, not a syntax tree, so that every version of Python
    gives the same.
    """
    chosen = [path for part in parts for path in (_PACKAGE / part, _PACKAGE / f"{part}.py")]
    files = {file for path in chosen or [_PACKAGE] for file in (path, *path.rglob("*.py"))}
    files -= {_PACKAGE / name for name in LATER}
    if used_by is not None:
        files &= _reached(used_by)
    found = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        found.update(f"{file.relative_to(_PACKAGE).as_posix()}\n".encode())
        found.update(without_comments(file.read_text(encoding="utf-8")).encode())
    return found.hexdigest()


def _reached(modules: Iterable[str]) -> set[Path]:
    """Files of these modules and of all that they import from the package."""
    waiting, reached = {file for name in modules for file in _files(name)}, set[Path]()
    while waiting:
        file = waiting.pop()
        reached.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
                waiting |= {file for name in named for file in _files(name)} - reached
    return reached


def _files(module: str) -> list[Path]:
    """The file of a module of the package, if it is one."""
    root, *inside = module.split(".")
    place = _PACKAGE.joinpath(*inside)
    files = (place.with_suffix(".py"), place / "__init__.py") if inside else ()
    return [file for file in files if root == _PACKAGE.name and file.is_file()]


def without_comments(source: str) -> str:
    """Python without comments, docstrings and empty lines."""
    lines = source.splitlines()
    cut = [
        (*token.start, *token.end)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            text = node.body[0]
            cut += [(text.lineno, text.col_offset, text.end_lineno or 0, text.end_col_offset or 0)]
    for first, start, last, end in sorted(cut, reverse=True):
        lines[first - 1 : last] = [lines[first - 1][:start] + lines[last - 1][end:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
