"""The command line: what it does with good input and with bad."""

import errno
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Generator

from command_line import Run
from facecrafter import wire
from facecrafter.commands import files, prepared, protect
from facecrafter.defences import crafter, stand_in
from facecrafter.defences.base import AbstractProtector, Release, straight
from facecrafter.models.surrogate import Surrogate
from facecrafter.types import Features, Images
from small_bundle import QUICK, STAND_IN, make_bundle, make_photographs, picture

EACH = pytest.mark.parametrize(
    ("settings", "kind"),
    [(QUICK, crafter._Crafter), (STAND_IN, stand_in._StandIn)],
    ids=["crafter", "stand-in"],
)
Settings = tuple[str, ...]


def protected(
    run: Run, photos: Path, bundle: Path, *more: object, settings: Settings = QUICK
) -> tuple[int, str, str]:
    return run("protect", photos, "--bundle", bundle, *settings, *more)


def released(
    run: Run, photos: Path, bundle: Path, *more: object, settings: Settings = QUICK
) -> Features:
    assert protected(run, photos, bundle, *more, settings=settings)[0] == 0
    return wire.loads(Path("features.safetensors").read_bytes())


@pytest.mark.parametrize(
    "words",
    [
        *[[name] for name in ("demo", "train", "protect", "attack", "evaluate", "verify")],
        *[["train", name] for name in ("target", "prior", "critic", "decoder", "amortiser")],
        ["train", "surrogate"],
        *[["train", name] for name in ("judge", "bundle")],
    ],
    ids=" ".join,
)
def test_help_teaches(run: Run, words: list[str]) -> None:
    code, out, _ = run(*words, "--help")
    assert code == 0
    assert f"Example: facecrafter {words[0]}" in out


def test_help_names_every_command_and_the_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for word in ("demo", "train", "protect", "attack", "evaluate", "verify", "Exit codes", "130"):
        assert word in out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["protect"],
        ["nonsense"],
        ["protect", "a", "--bata", "1"],
        ["protect", "a", "--seed", "x"],
    ],
    ids=repr,
)
def test_wrong_usage_is_2(run: Run, words: list[str]) -> None:
    code, out, err = run(*words)
    assert code == 2
    assert not out
    assert err


@EACH
def test_protects_and_tells_nothing_else(
    run: Run, photos: Path, bundle: Path, settings: Settings, kind: type[AbstractProtector]
) -> None:
    code, out, _ = protected(run, photos, bundle, "--json", settings=settings)
    facts = json.loads(out)
    path = Path(facts["out"])
    data = path.read_bytes()
    assert code == 0
    assert facts["photographs"] == 4
    assert wire.loads(data).shape == (4, 8, 16, 16)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"person" not in data
    assert len(data) < 4 * 8 * 16 * 16 * 4 + 200


@EACH
def test_without_a_seed_the_order_is_a_secret_one(
    run: Run, photos: Path, bundle: Path, settings: Settings, kind: type[AbstractProtector]
) -> None:
    more = ("--memory", "memory.db")
    found = [released(run, photos, bundle, *more, settings=settings) for _ in range(6)]
    sets = [{row.numpy().tobytes() for row in features} for features in found]
    assert all(one == sets[0] for one in sets)  # remembered: the very same features
    assert any(not torch.equal(one, found[0]) for one in found)  # 6 equal orders: 1 in 24**5


def test_one_photograph_is_enough(run: Run, photos: Path, bundle: Path) -> None:
    assert protected(run, photos / "person-0.png", bundle)[0] == 0


def test_attacks_what_was_protected(run: Run, photos: Path, bundle: Path) -> None:
    protected(run, photos, bundle)
    for name in ("white-box", "black-box", "hybrid"):
        code, out, _ = run(
            "attack", "features.safetensors", "--bundle", bundle, "--attack", name, "--out", name
        )
        assert code == 0
        with Image.open(f"{name}/face-4.png") as face, Image.open(f"{name}/sheet.png") as page:
            assert face.size == (64, 64)
            assert page.width > 4 * 64
        assert name in out


def test_grey_transparent_and_rotated_photographs_are_read(tmp_path: Path) -> None:
    face = picture()
    face.save(tmp_path / "0.png")
    face.convert("L").save(tmp_path / "1.png")
    face.convert("RGBA").save(tmp_path / "2.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 270 degrees
    face.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "3.png", exif=exif)
    plain, grey, transparent, turned = files.photographs(files.gather([tmp_path]), 64)
    assert torch.equal(plain, transparent)
    assert torch.equal(plain, turned)
    assert torch.equal(grey[0], grey[1])


def test_all_bad_files_are_listed_and_nothing_is_written(
    run: Run, photos: Path, bundle: Path, tmp_path: Path
) -> None:
    bad = make_photographs(tmp_path / "bad", 1)
    (bad / "empty.jpg").touch()
    (bad / "corrupt.png").write_bytes((photos / "person-0.png").read_bytes()[:500])
    (bad / "not.jpg").write_text("no picture")
    (bad / "raw.heic").write_bytes(b"0")
    picture().resize((4, 4)).save(bad / "small.png")
    code, out, err = protected(run, bad, bundle)
    assert code == 1
    assert not out
    for name in ("empty.jpg", "corrupt.png", "not.jpg", "raw.heic", "small.png"):
        assert name in err
    assert "person-0" not in err
    assert "Traceback" not in err
    assert not Path("features.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["protect", "missing.jpg"], "missing.jpg"),
        (["protect", "."], "no photograph"),
        (["attack", "missing.safetensors"], "missing.safetensors"),
        (["demo", "--images", "missing"], "missing"),
    ],
)
def test_missing_files_are_named(run: Run, bundle: Path, words: list[str], told: str) -> None:
    code, _, err = run(*words, "--bundle", bundle)
    assert code == 1
    assert told in err
    assert err.count("\n") <= 2


def test_a_folder_that_is_not_there_is_no_unreadable_photograph(run: Run, bundle: Path) -> None:
    code, _, err = run("protect", "holiday", "--bundle", bundle)
    assert code == 1
    assert "there is no 'holiday'" in err
    assert "cannot be read as a photograph" not in err


def test_a_place_that_cannot_be_written_is_named_with_a_fitting_hint(
    run: Run, photos: Path, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    for out in ("/", tmp_path / "taken" / "features.safetensors"):
        code, _, err = protected(run, photos, bundle, "--out", out)
        assert code == 1
        assert str(out) in err
        assert "another place" in err
        assert "Free some space" not in err


def test_what_was_released_before_is_told(run: Run, photos: Path, bundle: Path) -> None:
    _, out, _ = protected(run, photos, bundle, "--memory", "memory.db")
    assert "released before" not in out
    _, out, _ = protected(run, photos, bundle, "--memory", "memory.db", "--beta", "0.5")
    assert "4 of them had been released before" in out
    other = make_bundle(Path("other"), seed=2)
    code, out, err = protected(run, photos, other, "--memory", "memory.db")
    assert code == 3
    assert "another encoder" in err


def test_more_than_a_receiver_takes_is_told(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "A receiver takes" not in protected(run, photos, bundle)[1]
    monkeypatch.setattr(wire, "Limits", partial(wire.Limits, most_images=3))
    assert "A receiver takes 3 in a message" in protected(run, photos, bundle)[1]


def test_a_missing_bundle_is_named(run: Run, photos: Path) -> None:
    code, _, err = run("protect", photos, "--bundle", "nowhere/lfw64")
    assert code == 1
    assert "manifest.json" in err


def test_one_flipped_byte_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "altered")
    path = folder / "prior.safetensors"
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    code, _, err = protected(run, photos, folder)
    assert code == 1
    assert "prior.safetensors" in err
    assert not Path("features.safetensors").exists()


def test_features_of_another_kind_are_refused(run: Run, bundle: Path) -> None:
    Path("other.safetensors").write_bytes(wire.dumps(torch.rand(2, 3, 4, 4)))
    code, _, err = run("attack", "other.safetensors", "--bundle", bundle)
    assert code == 1
    assert "(3, 4, 4)" in err


def test_a_setting_out_of_range_is_explained(run: Run, photos: Path, bundle: Path) -> None:
    code, _, err = run("protect", photos, "--bundle", bundle, "--beta", "-1")
    assert code == 1
    assert "beta" in err
    assert "Traceback" not in err


def test_the_bundles_surrogate_is_used_unless_any_task_counts(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    craft = crafter._Crafter.protect

    def noted(self: crafter._Crafter, images: Images, rng: Generator) -> Release:
        used.append(type(self.recipe.utility).__name__)
        return craft(self, images, rng)

    monkeypatch.setattr(crafter._Crafter, "protect", noted)
    for more, utility in (((), "TaskUtility"), (("--any-task",), "FeatureUtility")):
        for command in (("protect", photos), ("verify", photos), ("demo", "--images", photos)):
            used.clear()
            code, out, _ = run(*command, "--bundle", bundle, *QUICK, *more, "--json")
            assert code in (0, 3)
            assert json.loads(out)["utility"] == utility
            assert set(used) == {utility}


def test_a_stand_in_is_another_release_and_a_seed_repeats_it(
    run: Run, photos: Path, bundle: Path
) -> None:
    found = [
        released(run, photos, bundle, "--seed", seed, settings=settings)
        for settings, seed in ((STAND_IN, 0), (STAND_IN, 0), (STAND_IN, 1), (QUICK, 0))
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[3])


@pytest.mark.parametrize("reading", ["answers", "signature"])
def test_a_stand_in_shows_nothing_of_a_photograph_but_its_reading(
    run: Run, photos: Path, bundle: Path, tmp_path: Path, reading: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for i in range(4):
        picture(10 + i).save(other / f"{i}.png")
    more = ("--stand-in.reading", reading, "--seed", 0)
    for grid, same in ((1e6, True), (0, False)):  # a million rounds every reading to 0
        found = [
            released(run, faces, bundle, *more, "--stand-in.grid", grid, settings=STAND_IN)
            for faces in (photos, other)
        ]
        assert torch.equal(*found) == same


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--any-task"], "--any-task"),
        (["--beta", "0.5"], "--beta"),
        (["--steps", "2"], "--steps"),
        (["--opponent.rate", "0.1"], "--opponent"),
        (["--distance.choice", "2"], "--distance"),
        (["--steps", "2", "--any-task"], "--any-task, --steps"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", ["protect", "verify"])
def test_what_only_crafter_knows_is_refused_with_a_stand_in(
    run: Run, photos: Path, bundle: Path, command: str, words: list[str], told: str
) -> None:
    code, out, err = run(command, photos, "--bundle", bundle, *STAND_IN, *words)
    assert code == 2
    assert not out
    assert f"stand-in knows no {told}:" in err
    assert err.count("\n") == 1
    assert not Path("features.safetensors").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--stand-in.reading", "answers"],
        ["--stand-in.grid", "0.1"],
        ["--stand-in.search.steps", "9"],
    ],
    ids=" ".join,
)
def test_what_only_a_stand_in_knows_is_refused_with_crafter(
    run: Run, photos: Path, bundle: Path, words: list[str]
) -> None:
    code, _, err = protected(run, photos, bundle, *words)
    assert code == 2
    assert f"crafter knows no {words[0].removesuffix('.steps')}:" in err
    assert "--defence stand-in" in err
    assert not Path("features.safetensors").exists()


@pytest.mark.parametrize("command", ["protect", "verify", "demo --images"])
def test_a_stand_in_without_a_surrogate_says_what_to_do(
    run: Run, photos: Path, tmp_path: Path, command: str
) -> None:
    bare = make_bundle(tmp_path / "bare", without="surrogate")
    code, out, err = run(*command.split(), photos, "--bundle", bare, *STAND_IN)
    assert code == 1
    assert not out
    for word in ("facecrafter train surrogate", "--defence crafter"):
        assert word in err
    assert not Path("features.safetensors").exists()
    assert protected(run, photos, bare)[0] == 0


def test_a_surrogate_that_reads_no_numbers_releases_nothing(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Surrogate.signature
    monkeypatch.setattr(Surrogate, "signature", lambda self, f: read(self, f) * torch.nan)
    code, out, err = protected(run, photos, bundle, settings=STAND_IN)
    assert (code, out) == (3, "")
    assert "diverged" in err
    assert "Nothing was written" in err
    assert not Path("features.safetensors").exists()


def test_how_well_the_reading_was_met_is_told(run: Run, photos: Path, bundle: Path) -> None:
    apart = []
    for steps in (1, 150):
        search = ("--stand-in.search.steps", steps, "--stand-in.search.rate", 0.5, "--seed", 0)
        found = protected(run, photos, bundle, *search, "--json", settings=STAND_IN[:2])
        apart.append(json.loads(found[1])["apart"])
    assert 0 < apart[1]["mean"] < 0.9 * apart[0]["mean"]
    assert all(one["mean"] <= one["most"] for one in apart)
    assert "of two faces it is 1.4 apart" in protected(run, photos, bundle)[1]
    assert "of two faces" not in protected(run, photos, bundle, "--any-task")[1]


def test_a_memory_keeps_what_another_defence_released(run: Run, photos: Path, bundle: Path) -> None:
    """Two releases of one photograph say more than one, whichever defences they are of."""
    more = ("--memory", "memory.db")
    before = released(run, photos, bundle, *more)
    code, out, _ = protected(run, photos, bundle, *more, settings=STAND_IN)
    after = wire.loads(Path("features.safetensors").read_bytes())
    assert code == 0
    assert "4 of them had been released before" in out
    assert {row.numpy().tobytes() for row in after} == {row.numpy().tobytes() for row in before}


def test_a_seed_and_a_memory_do_not_go_together(run: Run, photos: Path, bundle: Path) -> None:
    code, _, err = protected(run, photos, bundle, "--memory", "memory.db", "--seed", "1")
    assert code == 2
    assert "guessable" in err
    assert not Path("memory.db").exists()
    assert not Path("features.safetensors").exists()


@EACH
def test_not_finite_features_are_never_written(
    run: Run,
    photos: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    kind: type[AbstractProtector],
) -> None:
    whole = prepared.prepare(bundle, torch.device("cpu"))

    def broken(images: Images) -> torch.Tensor:
        return whole.encode(images) * torch.nan

    wrong = replace(whole, encode=broken)
    monkeypatch.setattr(protect, "prepare", lambda *_: wrong)
    code, _, err = protected(run, photos, bundle, settings=settings)
    assert code == 3
    assert "finite" in err
    assert not Path("features.safetensors").exists()


@EACH
@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw * 1.05,
        lambda raw: torch.cat([raw[:1], raw[1:] * 2]),  # one of them left as it was
        lambda raw: raw[:, :, :8],
    ],
    ids=["a little", "one not at all", "another shape"],
)
def test_features_that_were_hardly_moved_are_never_written(
    run: Run,
    photos: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Features], Features],
    settings: Settings,
    kind: type[AbstractProtector],
) -> None:
    def leaks(
        self: crafter._Crafter | stand_in._StandIn, images: Images, rng: Generator
    ) -> Release:
        return Release(spoil(self.offline.encode(images).detach()), straight(images))

    more = ("--memory", "memory.db")
    with monkeypatch.context() as patch:
        patch.setattr(kind, "protect", leaks)
        code, out, err = protected(run, photos, bundle, *more, settings=settings)
    assert code == 3
    assert "nothing was written" in err
    assert not out
    assert not Path("features.safetensors").exists()
    assert protected(run, photos, bundle, *more, settings=settings)[0] == 0  # nor remembered


def test_a_photograph_without_a_feature_is_noticed(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = protect._each_batch
    monkeypatch.setattr(protect, "_each_batch", lambda *given: each(*given)[1:])
    code, _, err = protected(run, photos, bundle)
    assert code == 3
    assert "3 features for 4 photographs" in err
    assert not Path("features.safetensors").exists()


@EACH
def test_every_batch_gets_random_numbers_of_its_own(
    run: Run,
    photos: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    kind: type[AbstractProtector],
) -> None:
    drawn: list[float] = []
    craft = kind.protect

    def noted(self: AbstractProtector, images: Images, rng: Generator) -> Release:
        drawn.append(torch.rand((), generator=rng).item())
        return craft(self, images, rng)

    monkeypatch.setattr(protect, "BATCH", 1)
    monkeypatch.setattr(kind, "protect", noted)
    assert protected(run, photos, bundle, "--seed", "0", settings=settings)[0] == 0
    assert len(set(drawn)) == 4


def test_a_full_disk_leaves_what_was_there(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert protected(run, photos, bundle)[0] == 0
    before = Path("features.safetensors").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("facecrafter.commands.files.os.fsync", full)
    code, _, err = protected(run, photos, bundle)
    assert code == 1
    assert "No space left" in err
    assert Path("features.safetensors").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["features.safetensors"]


@EACH
def test_ctrl_c_while_crafting_keeps_what_was_crafted(
    run: Run,
    photos: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    kind: type[AbstractProtector],
) -> None:
    craft, calls = kind.protect, []

    def stopped(self: AbstractProtector, images: Images, rng: Generator) -> Release:
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return craft(self, images, rng)

    more = ("--memory", "memory.db")
    monkeypatch.setattr(protect, "BATCH", 2)
    monkeypatch.setattr(kind, "protect", stopped)
    code, _, err = protected(run, photos, bundle, *more, settings=settings)
    assert code == 130
    assert "Traceback" not in err
    assert not Path("features.safetensors").exists()
    assert protected(run, photos, bundle, *more, settings=settings)[0] == 0
    assert calls == [2, 2, 2]  # the first two were not crafted again


def test_cuda_where_there_is_none_is_explained(
    run: Run, photos: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = protected(run, photos, bundle, "--device", "cuda")
    assert code == 1
    assert "--device" in err
