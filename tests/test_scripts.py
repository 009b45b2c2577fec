"""The scripts that people and CI run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SCRIPTS = [*sorted((PROJECT / "scripts").iterdir()), PROJECT / ".ci/run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_short_executable_and_valid(script: Path) -> None:
    lines = [line for line in script.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) <= (40 if script.name == "install" else 12)
    assert os.access(script, os.X_OK)
    checked = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_ci_calls_the_test_script_and_nothing_else() -> None:
    lines = (PROJECT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert len(commands) == 1
    assert commands[0].endswith('/scripts/test"')


def test_no_script_and_no_constraint_names_an_address() -> None:
    for path in [*SCRIPTS, PROJECT / "constraints.txt", PROJECT / "pyproject.toml"]:
        assert "://" not in path.read_text(), path.name


def test_torch_is_pinned_to_its_cpu_build_on_linux() -> None:
    pins = (PROJECT / "constraints.txt").read_text()
    assert re.search(r'^torch==[\d.]+\+cpu; sys_platform == "linux"$', pins, re.MULTILINE)
    assert "nvidia" not in pins


def test_an_old_python_is_refused_in_one_message(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    told = subprocess.run(
        [str(PROJECT / "scripts/install")],
        env={**os.environ, "PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "3.11" in told.stderr
    assert "3.9.1" in told.stderr


def test_help_starts_as_a_module() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "facecrafter.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Begin with: facecrafter demo" in told.stdout
