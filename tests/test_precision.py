"""Recipes without mixed precision, for processors on which it is slow."""

from dataclasses import dataclass

import pytest
import torch

from facecrafter.cli import main
from facecrafter.commands.evaluate import TABLES, Evaluate
from facecrafter.paper import precision
from facecrafter.paper.precision import in_float32, slow_in_bfloat16, suited

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Inner:
    bfloat16: bool = True
    steps: int = 3


@dataclass(frozen=True)
class Outer:
    several: tuple[Inner, ...] = (Inner(), Inner(steps=4))
    bfloat16: bool = False
    none: Inner | None = None


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(precision, "slow_in_bfloat16", lambda device: device.type == "cpu")


@pytest.mark.parametrize(
    ("machine", "capability", "expected"),
    [
        ("x86_64", "AVX2", True),
        ("AMD64", "DEFAULT", True),
        ("x86_64", "AVX512", False),
        ("aarch64", "DEFAULT", False),
    ],
)
def test_a_processor_is_slow_in_bfloat16_by_its_instructions(
    monkeypatch, machine, capability, expected
):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    assert slow_in_bfloat16(CPU) is expected
    assert not slow_in_bfloat16(torch.device("cuda"))


def test_every_recipe_within_a_recipe_is_taken_out_of_mixed_precision(slow):
    plain = Outer((Inner(bfloat16=False), Inner(bfloat16=False, steps=4)))
    assert in_float32(Outer()) == plain
    assert suited(Outer(), CPU) == plain
    assert suited(Outer(), torch.device("cuda")) == Outer()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_measured_in_float32(tmp_path, name):
    (table,) = Evaluate(root=tmp_path, table=name, float32=True).listed()
    (mixed,) = Evaluate(root=tmp_path, table=name).listed()
    assert "bfloat16=True" not in repr((table.defences, table.threats))
    assert len(set(map(repr, table.defences))) == len(mixed.defences)
    assert [threat.name for threat in table.threats] == [threat.name for threat in mixed.threats]


def test_a_training_in_bfloat16_that_would_take_long_says_so(slow, tmp_path, capsys):
    asked = ["train", "general", "--data", "synthetic", "--people", "0", "--out", str(tmp_path)]
    assert main([*asked, "--bfloat16"]) == 1
    assert "about twenty times as long as float32. Stop, and leave" in capsys.readouterr().err
    assert main(asked) == 1
    assert "bfloat16" not in capsys.readouterr().err
