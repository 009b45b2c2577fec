"""The client of Azure Face, against a server on this machine."""

import ast
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from face_server import KEY, NO_FACE, NOBODY, SILENCE, Script, serving
from facecrafter.errors import ServiceError, SettingError
from facecrafter.paper.azure import file_of
from facecrafter.paper.azure_service import FaceService

PACKAGE = Path(__file__).parents[2] / "src/facecrafter"
QUICK = FaceService("https://name.example", KEY, timeout=5, tries=3, pause=0.001, training=0.05)
PICTURE = file_of(torch.full((3, 64, 64), 90, dtype=torch.uint8), 256)
GROUP = "facecrafter-" + 32 * "0"

# name in the recording -> the call that makes it
CALLS: dict[str, Callable[[FaceService], Any]] = {
    "create": lambda service: service.create(GROUP, "recognition_04"),
    "person": lambda service: service.add_person(GROUP, "person 0"),
    "face": lambda service: service.add_face(GROUP, "0-1", PICTURE, "detection_03"),
    "training": lambda service: service.train(GROUP),
    "detect": lambda service: service.detect(PICTURE, "recognition_04", "detection_03"),
    "identify": lambda service: service.identify(GROUP, ["0-1"], 0.0),
    "delete": lambda service: service.delete(GROUP),
}
EACH = pytest.mark.parametrize("call", CALLS)
NOTHING_TO_SAY = ("create", "delete")  # their answers have no body that is read


def failing(call: str, script: Script, **settings: Any) -> str:
    """What the call says when it fails; never the key."""
    with serving(script) as endpoint, pytest.raises(ServiceError) as told:
        CALLS[call](replace(QUICK, endpoint=endpoint, **settings))
    assert KEY not in str(told.value)
    assert KEY not in repr(told.value.__cause__)
    return str(told.value)


def test_calls_are_those_of_the_recording() -> None:
    script = Script(sees=[(0, 0.9), (NO_FACE, 0.0), (NOBODY, 0.0)])
    with serving(script) as endpoint:
        service = replace(QUICK, endpoint=endpoint)
        service.create(GROUP, "recognition_04")
        person = service.add_person(GROUP, "person 0")
        assert service.add_face(GROUP, person, PICTURE, "detection_03")
        service.train(GROUP)
        faces = [service.detect(PICTURE, "recognition_04", "detection_03") for _ in range(3)]
        assert faces[1] is None
        first, last = faces[0], faces[2]
        assert first is not None
        assert last is not None
        told = service.identify(GROUP, [first, last], 0.0)
        candidate = told[first]
        assert candidate is not None
        assert (candidate.person, candidate.confidence) == (person, 0.9)
        assert told[last] is None
        service.delete(GROUP)
    assert not script.faults
    assert not script.groups
    # three looks at the training: not started, running, succeeded
    assert [script.saw.count(name) for name in ("train", "training", "detect")] == [1, 3, 3]


@EACH
def test_too_many_requests_are_made_again(call: str) -> None:
    script = Script(sees=[(NO_FACE, 0.0)]).then(call, "too many", "too many")
    script.asked["0-1"] = (NOBODY, 0.0)
    with serving(script) as endpoint:
        CALLS[call](replace(QUICK, endpoint=endpoint))
    assert script.saw.count(call) == (5 if call == "training" else 3)  # it looks three times
    assert not script.faults


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    waits = {"status": 429, "headers": {"Retry-After": "1"}, "body": {}}
    script = Script().then("create", waits)
    began = time.monotonic()
    with serving(script) as endpoint:
        CALLS["create"](replace(QUICK, endpoint=endpoint))
    assert time.monotonic() - began > 0.9


def test_it_does_not_wait_for_ever() -> None:
    script = Script().then("create", "far too many")
    assert "86400 s" in failing("create", script)
    assert script.saw == ["create"]


@EACH
@pytest.mark.parametrize("answer", ["broken", "overloaded", "too many"])
def test_it_gives_up_after_some_tries(call: str, answer: str) -> None:
    script = Script().then(call, *[answer] * 9)
    told = failing(call, script)
    assert "3 tries" in told
    assert {"broken": "500", "overloaded": "503", "too many": "429"}[answer] in told
    assert script.saw.count(call) == 3


@EACH
@pytest.mark.parametrize(
    ("answer", "hint"), [("wrong key", "key of this very resource"), ("not approved", "approved")]
)
def test_a_refusal_is_final(call: str, answer: str, hint: str) -> None:
    script = Script().then(call, *[answer] * 9)
    told = failing(call, script)
    assert hint in told
    assert script.saw.count(call) == 1


def test_only_a_picture_without_a_face_is_no_error() -> None:
    script = Script().then("face", "no face in it")
    with serving(script) as endpoint:
        assert not CALLS["face"](replace(QUICK, endpoint=endpoint))
    assert "InvalidImageSize" in failing("face", Script().then("face", "too small"))
    assert "InvalidImage" in failing("detect", Script().then("detect", "no face in it"))


def test_a_group_that_is_gone_is_deleted_and_one_that_trains_is_waited_for() -> None:
    script = Script(groups={GROUP}).then("delete", "conflict", "conflict")
    with serving(script) as endpoint:
        service = replace(QUICK, endpoint=endpoint)
        service.delete(GROUP)
        assert not script.groups
        script.then("delete", "not there")
        service.delete(GROUP)
    assert "409" in failing("create", Script().then("create", "conflict"))


@pytest.mark.parametrize("call", [name for name in CALLS if name not in NOTHING_TO_SAY])
@pytest.mark.parametrize("answer", ["no JSON", "another object", "another list"])
def test_nonsense_is_refused(call: str, answer: str) -> None:
    assert "documentation" in failing(call, Script().then(call, answer))


@pytest.mark.parametrize(
    "candidates",
    [
        {"personId": "0-1"},
        [{"personId": "0-1", "confidence": "high"}],
        [{"personId": "0-1", "confidence": 7}],
        [{"personId": "0-1", "confidence": True}],
        [{"personId": "../../detect", "confidence": 0.5}],
        [{"confidence": 0.5}],
        ["0-1"],
    ],
)
def test_odd_candidates_are_refused(candidates: Any) -> None:
    answer = {"status": 200, "body": [{"faceId": "0-1", "candidates": candidates}]}
    assert "documentation" in failing("identify", Script().then("identify", answer))


def test_every_face_must_be_answered_for() -> None:
    other = {"status": 200, "body": [{"faceId": "0-2", "candidates": []}]}
    assert "other ones" in failing("identify", Script().then("identify", other))


def test_an_id_cannot_lead_elsewhere() -> None:
    answer = {"status": 200, "body": {"personId": "../../x?y"}}
    assert "personId" in failing("person", Script().then("person", answer))


def test_too_long_an_answer_is_refused() -> None:
    answer = {"status": 200, "text": " " * (2**20 + 1)}
    assert "1,048,576 bytes" in failing("detect", Script().then("detect", answer))


def test_a_training_that_fails_or_has_no_end() -> None:
    failed = failing("training", Script().then("training", "training failed"))
    assert "There is no person in the group." in failed
    for_ever = Script()
    for_ever.trainings.extend(["running"] * 100_000)
    assert "still trains" in failing("training", for_ever)
    odd = Script()
    odd.trainings.appendleft("paused")
    assert "'paused'" in failing("training", odd)


def test_nobody_there(unused: int) -> None:
    service = replace(QUICK, endpoint=f"http://127.0.0.1:{unused}")
    with pytest.raises(ServiceError, match="was not reached") as told:
        CALLS["detect"](service)
    assert "3 tries" in str(told.value)
    assert KEY not in str(told.value)


def test_silence_is_not_waited_out() -> None:
    script = Script().then("detect", SILENCE, SILENCE)
    told = failing("detect", script, timeout=0.2, tries=2)
    assert "kept silent for 0.2 s" in told
    assert script.saw == ["detect", "detect"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_goes_where_a_redirect_leads(status: int) -> None:
    elsewhere = Script()
    with serving(elsewhere) as other:
        answer = {"status": status, "headers": {"Location": f"{other}/face/v1.0/detect"}}
        told = failing("detect", Script().then("detect", answer))
    assert "elsewhere" in told
    assert not elsewhere.saw


def test_a_key_that_the_service_repeats_is_not_passed_on() -> None:
    loud = {"status": 401, "body": {"error": {"code": KEY, "message": f"\x1b[31m{KEY}\nis bad"}}}
    told = failing("detect", Script().then("detect", loud))
    assert "(the key)" in told
    assert "\x1b" not in told
    assert "\n" not in told
    assert KEY not in repr(QUICK)


@pytest.mark.parametrize(
    "key", ["", "short", "with a blank in it", "two\r\nlines-of-it", "k\u00e9y-of-it"]
)
def test_a_key_that_is_none_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(SettingError) as told:
        replace(QUICK, key=key)
    assert not key or key not in str(told.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://name.cognitiveservices.azure.com",
        "http://10.0.0.1:8080",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1",
        "name.cognitiveservices.azure.com",
        "https://",
        "https://user:secret@name.example",
        "https://name.example/face/v1.0",
        "https://name.example?key=secret",
        "https://name.example#secret",
        "https://name.example:port",
        "https://[::1",
        "",
    ],
)
def test_an_endpoint_that_would_tell_others_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingError) as told:
        replace(QUICK, endpoint=endpoint)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "endpoint",
    ["https://name.example", "https://name.example:8443/", "http://localhost:1", "http://[::1]:1"],
)
def test_https_anywhere_and_http_on_this_machine(endpoint: str) -> None:
    assert replace(QUICK, endpoint=endpoint).host in endpoint


def test_https_never_becomes_http() -> None:
    script = Script()
    with serving(script) as endpoint, pytest.raises(ServiceError):
        CALLS["detect"](replace(QUICK, endpoint=endpoint.replace("http:", "https:"), tries=1))
    assert not script.saw


@pytest.fixture
def unused() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


NETWORK = {"socket", "ssl", "http", "urllib", "asyncio", "ftplib", "smtplib", "requests", "httpx"}
MAY = {"paper/azure_service.py"}  # besides the edge client and the service, in their own folders


def test_no_other_module_opens_a_connection() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("edge", "cloud")
        and NETWORK & set(_imported(path))
    }
    assert found == MAY


def _imported(path: Path) -> list[str]:
    """Names of the first parts of all modules that it imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
    others = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return [name.partition(".")[0] for name in (*plain, *others)]
