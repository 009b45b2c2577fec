"""No recipe is forgotten, and a key tells apart what differs."""

import importlib
import inspect
import pkgutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import facecrafter.attacks
import facecrafter.defences
from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.consensus import Consensus
from facecrafter.bundle import load as load_bundle
from facecrafter.commands.card import settings
from facecrafter.commands.evaluate import TABLES
from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.blend import Blend
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.noise import Noise
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.steered import Steered
from facecrafter.defences.utility import TaskUtility
from facecrafter.implicit import Lanczos, Neumann
from facecrafter.paper.cells import Cell, Reported, Table, modules
from facecrafter.paper.tables.lfw64 import DEFENCES, LEARNT, LFW64, WITHOUT_A_CELL
from facecrafter.paper.tables.published import PUBLISHED, authors
from facecrafter.paper.threats import (
    ADAPTIVE,
    LEARNING,
    THREATS,
    all_threats,
    epochs_of,
    pairs_of,
    threats,
)

PROJECT = Path(__file__).parents[2]


def recipes(base: type, package: object) -> set[type]:
    """All recipes of the package: its own subclasses of `base`, at any depth."""
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):  # type: ignore
        importlib.import_module(module.name)
    found, waiting = set(), [base]
    while waiting:
        waiting += (below := waiting.pop().__subclasses__())
        found |= {kind for kind in below if not inspect.isabstract(kind)}
    own = {kind for kind in found if kind.__module__.startswith(package.__name__)}  # type: ignore
    return {kind for kind in own if not kind.__name__.startswith("_")}


def test_every_defence_is_in_the_table_or_has_a_reason() -> None:
    measured = {type(defence) for table in TABLES.values() for defence in table.defences}
    measured -= WITHOUT_A_CELL.keys()  # wrappers, which a table of repeated queries has
    assert measured | WITHOUT_A_CELL.keys() == recipes(AbstractDefence, facecrafter.defences)
    assert not {type(defence) for defence in DEFENCES} & WITHOUT_A_CELL.keys()


def test_every_attack_is_a_threat() -> None:
    attacks = [threat.attack for threat in all_threats().values()]
    ends = [attack.attack for attack in attacks if isinstance(attack, Consensus)]
    measured = {type(attack) for attack in (*attacks, *ends)}
    assert measured == recipes(AbstractAttack, facecrafter.attacks)


def test_the_table_is_the_grid_that_was_asked_for() -> None:
    names = [type(defence).__name__ for defence in DEFENCES]
    asked = {"Plain": 1, "Noise": 3, "Blend": 2, "CrafterZ": 2, "Crafter": 4}
    assert all(names.count(name) >= count for name, count in asked.items())
    cells = LFW64.cells()
    assert len(cells) == len(set(cells)) == len(DEFENCES) * 3 * len(LFW64.seeds)
    assert len(LFW64.seeds) >= 2
    assert {threat.name for threat in THREATS} == {"white-box", "black-box", "hybrid"}


def test_lessons_are_the_adaptive_ones_and_what_their_names_say() -> None:
    full = [threat for threat in LEARNING if threat in ADAPTIVE]
    assert [threat.name for threat in full] == ["black-box A1", "deep decoder A1"]
    names = [threat.name for threat in LEARNING]
    assert len(names) == len(set(names)) == 2 * (1 + 3 + 4)
    for threat in LEARNING:
        decoder, _, less = threat.name.partition(", ")
        (whole,) = (one for one in full if one.name == decoder)
        usual = {"pairs": pairs_of(whole), "epochs": epochs_of(whole)}
        number, _, what = less.partition(" ")
        named = {what: int(number.replace(",", ""))} if less else {}
        assert {"pairs": pairs_of(threat), "epochs": epochs_of(threat)} == usual | named
        assert threat.sees == whole.sees
        assert not less or usual | named != usual


def test_the_surrogate_of_the_bundle_learnt_what_the_table_says() -> None:
    facts = load_bundle(PROJECT / "bundles/lfw64").facts
    assert settings(facts["recipes"]["surrogate"])["attributes"] == LEARNT
    assert tuple(facts["attribute_names"][1::2]) == LEARNT  # half of them, by no choice of ours


def test_the_authors_settings_are_measured_with_nothing_but_another_solver() -> None:
    mine, published = authors(1.0), Crafter.as_published()
    assert isinstance(mine.opponent, LatentOpponent)
    assert isinstance(published.opponent, LatentOpponent)
    solver, series = mine.opponent.solver, published.opponent.solver
    assert isinstance(solver, Lanczos)
    assert isinstance(series, Neumann)
    assert (solver.terms, solver.alpha) == (series.terms, series.alpha)
    assert replace(mine, opponent=replace(mine.opponent, solver=series)) == published
    assert authors(4.0) in PUBLISHED.defences


def test_what_is_too_slow_is_measured_with_the_first_seed_alone() -> None:
    table = Table("Tiny", "tiny", (Noise(1.0), Noise(2.0)), THREATS[:1], (3, 4), (Noise(2.0),))
    told = [(cell.defence, cell.seed) for cell in table.cells()]
    assert told == [(Noise(1.0), 3), (Noise(2.0), 3), (Noise(1.0), 4)]
    seeds = {seed: [c.defence for c in PUBLISHED.cells() if c.seed == seed] for seed in (0, 1)}
    assert authors(0.5) in seeds[0]
    assert authors(0.5) not in seeds[1]
    assert set(PUBLISHED.once) <= set(PUBLISHED.defences)


def test_the_papers_figures_stand_beside_the_cells_that_they_are_of() -> None:
    reported = [cell for cell in LFW64.cells() if cell.reported]
    assert {type(cell.defence).__name__ for cell in reported} == {"Plain"}
    assert len(reported) == 3 * len(LFW64.seeds)
    assert all("128" in cell.reported.differs for cell in reported if cell.reported)


def test_a_key_rests_on_the_modules_of_every_part() -> None:
    inside = set(modules(Steered(Crafter(utility=TaskUtility()))))
    named = ("steered", "crafter", "opponents", "privacy", "utility")
    assert inside == {f"facecrafter.{m}" for m in (*(f"defences.{n}" for n in named), "inversion")}
    assert "facecrafter.attacks.shadow_decoder" in set(modules(THREATS[2].attack))
    cell = Cell("tiny", Steered(Noise(1.0)), THREATS[0], 0)
    assert cell.key("d") != replace(cell, defence=Steered(Blend(1.0))).key("d")


def test_a_key_tells_apart_all_that_matters() -> None:
    cell = Cell("tiny", Noise(1.0), THREATS[0], 0)
    others = [
        replace(cell, scene="other"),
        replace(cell, defence=Noise(2.0)),
        replace(cell, threat=threats(restarts=1)[0]),
        replace(cell, seed=1),
    ]
    keys = [other.key("digest") for other in others]
    assert len({cell.key("digest"), cell.key("another"), *keys}) == 6


def test_a_key_depends_on_nothing_else() -> None:
    cell = Cell("tiny", Noise(1.0), THREATS[0], 0)
    beside = replace(cell, reported=Reported(0.5, "paper", "nothing"))
    assert cell.key("digest") == beside.key("digest")


def test_threats_share_a_deployment_seeds_do_not() -> None:
    deployments = {
        Cell("tiny", Noise(1.0), threat, seed).deployment("digest")
        for threat, seed in product(THREATS, (0, 1))
    }
    assert len(deployments) == 2
