"""The scripts that people and CI run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

PROJECT = Path(__file__).parents[1]
FAKE = """#!/bin/sh
case "$1 $2" in
  "--version ") echo "Python VERSION" ;;
  "-m venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo VERSION venv >>log ;;
  "-m pip") echo VERSION pip >>log ;;
esac
"""  # a Python that notes what it is asked to do
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
    found = re.findall(r"^(torch==\S+); (.*)$", pins, re.MULTILINE)
    machines = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]
    for system, machine in machines:
        here = {"sys_platform": system, "platform_machine": machine}
        (torch,) = [pin for pin, marker in found if Marker(marker).evaluate(here)]
        assert torch.endswith("+cpu") == ((system, machine) == ("linux", "x86_64"))
    assert "nvidia" not in pins


def test_an_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    for name in ("scripts/install", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    pythons = [tmp_path / f"python{version}" for version in ("3.11.7", "3.12.1")]
    for python in pythons:
        python.write_text(FAKE.replace("VERSION", python.name.removeprefix("python")))
        python.chmod(0o755)
    for python in (pythons[0], pythons[0], pythons[1], pythons[1]):
        given = {**os.environ, "PYTHON": str(python)}
        subprocess.run([str(tmp_path / "scripts/install")], env=given, check=True)
    log = (tmp_path / "log").read_text().split()
    assert log == ["3.11.7", "venv", "3.11.7", "pip", "3.12.1", "venv", "3.12.1", "pip"]


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
