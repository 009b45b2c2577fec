"""`facecrafter azure`: on a tiny scene, with a server here that answers as Azure Face."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from command_line import Run
from face_server import KEY, Script, serving
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.commands import azure, measurement
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.inversion import Descent
from facecrafter.paper import azure_page
from facecrafter.paper.azure_service import FaceService
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import PEOPLE, tiny

SCENE = tiny()
SPLITS = synthetic_splits(0, people=6, photographs=9, private_people=PEOPLE)
QUICK = {
    name: Threat(name, LatentSearch(Descent(2, 0.1), restarts=2))
    for name in ("white-box", "deep decoder A1")
}
RIGHT = [(int(label), 0.9) for label in SCENE.labels]
WORDS = ("azure", "--root", "LFW", "--endpoint")
SEND = "--send-photographs"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two defences on the tiny scene, a user's key, and a client in a hurry."""
    monkeypatch.setenv(azure.KEY, KEY)
    monkeypatch.setattr(measurement, "lfw64", lambda *_: SCENE)
    monkeypatch.setattr(measurement, "lfw", lambda *_: SPLITS)
    monkeypatch.setattr(azure, "all_threats", lambda decoders: QUICK)
    monkeypatch.setattr(azure, "FaceService", partial(FaceService, timeout=5, tries=2, pause=0.001))
    for module in (azure, azure_page):
        monkeypatch.setattr(module, "DEFENCES", (Plain(), Noise(1.0)))


@pytest.fixture
def script() -> Script:
    return Script(RIGHT * 5)


@pytest.fixture
def endpoint(script: Script) -> Iterator[str]:
    with serving(script) as address:
        yield address
    assert not script.faults


def test_help_says_what_is_sent(run: Run) -> None:
    code, out, _ = run("azure", "--help")
    assert code == 0
    for told in (
        "SENDS PHOTOGRAPHS OF REAL PEOPLE TO A THIRD PARTY",
        "private train photographs, up to 248 of each",
        "deleted at the end",
        "all private test photographs",
        "FACECRAFTER_AZURE_KEY",
        "never run against the service itself",
        "Example: facecrafter azure",
    ):
        assert told in " ".join(out.replace("│", " ").split())
    assert "azure" in run("--help")[1]


def test_it_asks_once_and_writes_the_page(run: Run, script: Script, endpoint: str) -> None:
    code, out, err = run(*WORDS, endpoint, SEND, "--defences", "Noise", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["measured"], facts["kept"]) == (2, 0)  # the photographs, and Noise
    assert "| Noise | white-box | " in Path(facts["page"]).read_text()
    assert not script.groups
    code, out, err = run(*WORDS, endpoint, SEND, "--threats", "")
    assert code == 0
    assert "3 measured, 2 were there" in out
    assert "[1/3] Plain(), white-box: 1.000 recognised, 0.000 without a face" in err
    assert "s left" in err
    page = Path("docs/azure.md").read_text()
    assert "not run" not in page
    assert "100.0 %" in page
    names = [path.name for path in sorted(Path("results/azure").iterdir())]
    told = [
        *(f"tiny_Noise_{name}_0_" for name in sorted(QUICK)),
        *(f"tiny_Plain_{name}_0_" for name in sorted([*QUICK, "photographs"])),
    ]
    assert [name[: len(one)] for name, one in zip(names, told, strict=True)] == told
    seen = len(script.saw)
    code, out, _ = run(*WORDS, endpoint, SEND, "--threats", "")
    assert code == 0
    assert "0 measured, 5 were there" in out
    assert len(script.saw) == seen  # nothing was sent
    assert not list(Path("runs/azure-groups").iterdir())


def test_nothing_is_sent_unless_asked_for(run: Run, script: Script, endpoint: str) -> None:
    code, out, err = run(*WORDS, endpoint)
    assert code == 2
    for told in ("real people", "248", "Microsoft", "deleted at the end", SEND, "Nothing was sent"):
        assert told in err
    assert not out
    assert not script.saw
    assert not Path("results").exists()
    assert not Path("runs").exists()


def test_the_key_is_in_the_environment_alone(
    run: Run, script: Script, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(azure.KEY)
    code, _, err = run(*WORDS, endpoint, SEND)
    assert code == 1
    assert azure.KEY in err
    code, _, err = run(*WORDS, endpoint, SEND, "--key", KEY)
    assert code == 2
    assert not script.saw


def test_the_key_is_never_told(run: Run, script: Script, endpoint: str) -> None:
    loud = {"status": 403, "body": {"error": {"code": "no", "message": f"{KEY} may not"}}}
    script.then("identify", None, loud)
    code, out, err = run(*WORDS, endpoint, SEND)
    assert code == 1
    assert "(the key) may not" in err
    assert "Traceback" not in err
    assert KEY not in out + err
    assert not script.groups
    kept = [path for path in Path(".").rglob("*") if path.is_file()]
    assert [path.name[:23] for path in kept if path.suffix == ".json"] == [
        "tiny_Plain_photographs_"
    ]
    assert not any(KEY.encode() in path.read_bytes() for path in kept)


@pytest.mark.parametrize("address", ["http://name.example", "https://name.example/face", "name"])
def test_a_wrong_endpoint_is_refused_before_any_work(run: Run, address: str) -> None:
    code, _, err = run(*WORDS, address, SEND)
    assert code == 1
    assert "https://" in err
    assert not Path("runs").exists()


def test_the_endpoint_is_asked_for(run: Run) -> None:
    assert run("azure", "--root", "LFW", SEND)[0] == 2


def test_what_is_not_there_is_told_with_what_is(run: Run, script: Script, endpoint: str) -> None:
    code, _, err = run(*WORDS, endpoint, SEND, "--defences", "Nonsense")
    assert code == 1
    assert "Noise(deviation=1.0)" in err
    code, _, err = run(*WORDS, endpoint, SEND, "--threats", "Nonsense")
    assert code == 1
    assert "white-box, deep decoder A1" in err
    assert not script.saw


def test_ctrl_c_deletes_the_group_and_keeps_what_was_measured(
    run: Run, script: Script, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identify, calls = FaceService.identify, list[int]()

    def stopped(self: FaceService, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return identify(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FaceService, "identify", stopped)
    code, _, err = run(*WORDS, endpoint, SEND)
    assert code == 130
    assert "Traceback" not in err
    assert script.saw[-1] == "delete"
    assert not script.groups
    assert len(list(Path("results/azure").iterdir())) == 2
    assert "| Plain | white-box | not run" not in Path("docs/azure.md").read_text()


def test_a_group_of_a_killed_run_comes_first(run: Run, script: Script, endpoint: str) -> None:
    script.then("delete", "broken", "broken")
    code, _, err = run(*WORDS, endpoint, SEND)
    assert code == 1
    assert "--delete-left" in err
    assert len(script.groups) == 1
    seen = len(script.saw)
    code, _, err = run(*WORDS, endpoint, SEND)
    assert code == 1
    assert "--delete-left" in err
    assert len(script.saw) == seen
    code, out, _ = run(*WORDS, endpoint, "--delete-left", "--json")
    assert code == 0
    assert json.loads(out) == {"deleted": 1}
    assert script.saw[seen:] == ["delete"]
    assert not script.groups
    assert run(*WORDS, endpoint, SEND)[0] == 0
