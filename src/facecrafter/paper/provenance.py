"""Where a figure is from: commit, versions, machine. No host name, no folder."""

import ast
import hashlib
import io
import os
import platform
import re
import subprocess
import tokenize
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("facecrafter", "torch", "numpy", "scipy", "scikit-learn", "safetensors")


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
def code(*parts: str) -> str:
    """SHA-256 of the package's Python without comments and docstrings; of all of it by default.

    `parts`: folders and modules, such as "attacks" and "inversion". The text is hashed, not a
    syntax tree, so that every version of Python gives the same.
    """
    package = Path(__file__).resolve().parents[1]
    chosen = [path for part in parts for path in (package / part, package / f"{part}.py")]
    files = {file for path in chosen or [package] for file in (path, *path.rglob("*.py"))}
    found = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        found.update(f"{file.relative_to(package).as_posix()}\n".encode())
        found.update(without_comments(file.read_text(encoding="utf-8")).encode())
    return found.hexdigest()


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
