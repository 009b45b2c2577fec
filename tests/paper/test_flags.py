"""What is said of attacks and defences beside their figures."""

from dataclasses import replace
from pathlib import Path

from facecrafter.defences.adv_face import AdvFace
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.dropout import Dropout
from facecrafter.defences.fawkes import Fawkes
from facecrafter.defences.lowkey import LowKey
from facecrafter.defences.noise import Noise
from facecrafter.defences.nopeek import NoPeek
from facecrafter.defences.plain import Plain
from facecrafter.defences.tiprdc import Tiprdc
from facecrafter.paper import describe, threats
from facecrafter.paper.cells import Cell, Table
from facecrafter.paper.flags import not_validated, of_attacks, of_defences
from facecrafter.paper.measure import measure
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from made_points import point
from made_records import RECORDS

FOUND = [
    point("Plain", "white-box", 0.4),
    point("Plain", "black-box", 0.9),
    point("Noise", "white-box", 0.2),
    point("Noise", "black-box", 0.1),
]
THREATS = ("white-box", "black-box")


def test_an_attack_that_fails_on_plain_features_is_marked() -> None:
    assert not_validated(FOUND, THREATS) == ["white-box"]
    first, then = of_attacks(FOUND, THREATS, ["Plain", "Noise"])
    assert "† attack not validated: on plain features it reaches under 50 %" in first
    assert "against Plain:" in then
    assert of_attacks(FOUND, ("black-box",), ["Noise"]) == []
    (unknown,) = of_attacks(FOUND, ("hybrid",), ["Noise"])
    assert "not measured on plain features" in unknown


def test_what_is_random_and_what_searches_is_told(
    scene: Scene, store: Store, table: Table, tmp_path: Path
) -> None:
    defences = (Plain(), Noise(1.0), Crafter(steps=1))
    records = [
        measure(Cell("tiny", defence, table.threats[1], seed), scene, store)
        for defence in defences
        for seed in (0, 1)
    ]
    (told,) = of_defences(records)
    randomised, optimised = told.split(". ")
    assert "Noise" in randomised
    assert "Crafter" in randomised
    assert "Plain" not in told
    assert "Crafter" in optimised
    assert "Noise" not in optimised
    assert of_defences(records[:2]) == []


def test_who_counts_its_steps_by_another_name_searches_too() -> None:
    one = RECORDS[0]
    defences = (Fawkes(), LowKey(), AdvFace(), Dropout(0.5), NoPeek(0.5), Tiprdc(0.5))
    records = [replace(one, defence=describe.of_defence(defence)) for defence in defences]
    (told,) = of_defences(records)
    assert told.endswith("is not to be had: Fawkes; LowKey; AdvFace.")


def test_one_decoder_counts_as_black_box() -> None:
    name = f"black-box{threats.ONE_DECODER}"
    found = [point("Plain", name, 0.9), point("Noise", name, 0.3), point("Noise", "white-box", 0.2)]
    (told,) = of_attacks(found, [name], ["Plain", "Noise"])
    assert "stronger than the white-box one against Noise:" in told


def test_another_machine_is_no_other_seed(scene: Scene, store: Store, table: Table) -> None:
    """What a GPU rounds otherwise has another digest, too."""
    plain, other = (
        measure(Cell("tiny", Plain(), table.threats[1], seed), scene, store) for seed in (0, 1)
    )
    there = replace(
        plain, machine={"gpu": "one"}, versions={**plain.versions, "release": "elsewhere"}
    )
    assert of_defences([plain, other, there]) == []
    assert of_defences([plain, there]) == []
    assert "Plain" in "".join(of_defences([plain, replace(there, seed=1)]))  # cannot be told


def test_answers_alone_are_no_attack_that_fails() -> None:
    name = "answers alone A1"
    found = [*FOUND, point("Plain", name, 0.3), point("Noise", name, 0.2)]
    assert not_validated(found, [name]) == []
    (told,) = of_attacks(found, [name], ["Noise"])
    assert "nothing but the cloud's answers" in told


def test_a_search_that_twice_the_steps_still_help_has_not_converged() -> None:
    names = [threat.name for threat in (threats.THREATS[0], threats.THREATS[2])]
    long = [f"{name}, twice the steps" for name in names]
    found = [
        *(point("Plain", name, 0.9) for name in (*names, *long)),
        *(point("Noise", name, 0.5) for name in names),
        point("Noise", long[0], 0.55),
        point("Noise", long[1], 0.51),
        point("Blend", names[0], 0.2),
    ]
    (told,) = of_attacks(found, [*names, *long], ["Plain", "Noise", "Blend"])
    more, settled = told.split(". ")
    assert more.startswith("**Not converged**, as twice the steps")
    assert more.endswith("white-box against Noise (+5.0 points)")
    assert "hybrid against Noise (+1.0 points)" in settled
    assert "white-box against Plain (+0.0 points)" in settled
    assert "Blend" not in told  # its control was not measured


def test_a_control_is_the_same_search_with_twice_the_steps() -> None:
    basic = {threat.name: threat for threat in threats.THREATS}
    assert len(threats.CONTROLS) == 2
    for control in threats.CONTROLS:
        one = basic[control.name.removesuffix(threats.TWICE)]
        assert control.sees == one.sees
        for part in ("search", "heat"):
            before, after = (getattr(threat.attack, part) for threat in (one, control))
            assert after == replace(before, steps=2 * before.steps)
        same = {part: getattr(one.attack, part) for part in ("search", "heat")}
        assert replace(control.attack, **same) == one.attack
