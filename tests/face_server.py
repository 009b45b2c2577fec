"""A server on this machine that answers as Azure Face does, by what `azure_face.json` holds.

It checks every request against the recorded one and notes what differs; a test may put other
answers in the place of the next ones.
"""

import io
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from PIL import Image

RECORDED = json.loads((Path(__file__).parent / "azure_face.json").read_text())
KEY = "0123456789abcdef-the-key-of-a-test"
NO_FACE, NOBODY, STRANGER = "no face", "nobody", "stranger"
SILENCE = "silence"  # no answer before the test ends
Sees = tuple[int | str, float]  # place of a person, or one of these words; confidence


@dataclass
class Script:
    """What a server does, and what it saw."""

    sees: Sequence[Sees] = ()  # in the pictures that it is asked about, one after the other
    side: int = 256  # pixels that pictures should have
    # answers in the place of the next ones to a call: names of `others`, or whole answers; None:
    # as ever
    instead: dict[str, deque[Any]] = field(default_factory=dict[str, deque[Any]])
    trainings: deque[str] = field(default_factory=lambda: deque(["notStarted", "running"]))
    saw: list[str] = field(default_factory=list[str])  # names of calls
    faults: list[str] = field(default_factory=list[str])  # what no request should hold
    groups: set[str] = field(default_factory=set[str])
    people: list[str] = field(default_factory=list[str])
    faces: dict[str, int] = field(default_factory=dict[str, int])  # of each person
    asked: dict[str, Sees] = field(default_factory=dict[str, Sees])  # by id of a face
    over: threading.Event = field(default_factory=threading.Event)
    lock: Any = field(default_factory=threading.RLock)
    made: int = 0

    def then(self, call: str, *answers: Any) -> "Script":
        """With these answers to the next calls of that name."""
        self.instead.setdefault(call, deque()).extend(answers)
        return self

    def new(self) -> str:
        self.made += 1
        return str(UUID(int=self.made))


def answer_to(script: Script, request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
    """Status, headers and body."""
    name, groups = _call(request)
    with script.lock:
        script.saw.append(name)
        _check(script, name, groups, request, body)
        waiting = script.instead.get(name)
        other = waiting.popleft() if waiting else None
        if other is not None:
            return RECORDED["others"].get(other, {"status": 0}) if other in _NAMES else other
        answer = {"status": RECORDED["calls"][name]["answer"]["status"]}
        told = _DOES[name](script, groups, body)
        return answer if told is None else {**answer, "body": told}


def _call(request: BaseHTTPRequestHandler) -> tuple[str, dict[str, str]]:
    """Which recorded call a request is, and what stands in the places of its path."""
    path = urlsplit(request.path).path
    for name, call in RECORDED["calls"].items():
        form = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9a-z-]{1,64})", call["request"]["path"])
        found = re.fullmatch(form, path)
        if found and call["request"]["method"] == request.command:
            return name, found.groupdict()
    return f"unknown: {request.command} {path}", {}


def _check(
    script: Script, name: str, groups: dict[str, str], request: BaseHTTPRequestHandler, body: bytes
) -> None:
    if name not in RECORDED["calls"]:
        script.faults.append(name)
        return
    wanted = RECORDED["calls"][name]["request"]
    query = dict(parse_qsl(urlsplit(request.path).query))
    headers = request.headers
    if query != wanted["query"]:
        script.faults.append(f"{name}: query {query}")
    if headers.get("Content-Type") != wanted["type"]:
        script.faults.append(f"{name}: type {headers.get('Content-Type')}")
    if headers.get("Ocp-Apim-Subscription-Key") != KEY:
        script.faults.append(f"{name}: another key")
    if wanted["body"] == "{picture}":
        script.faults += _odd_picture(script, name, body)
    elif wanted["body"] is None:
        script.faults += [f"{name}: a body"] if body else []
    elif not _alike(wanted["body"], json.loads(body), groups):
        script.faults.append(f"{name}: body {body.decode()}")


def _odd_picture(script: Script, name: str, body: bytes) -> list[str]:
    """The service takes files of 1 KB to 6 MB."""
    with Image.open(io.BytesIO(body)) as picture:
        fits = picture.size == (script.side, script.side) and picture.mode == "RGB"
    return [] if fits and 1024 <= len(body) <= 6 * 2**20 else [f"{name}: another picture"]


def _alike(wanted: Any, told: Any, groups: dict[str, str]) -> bool:
    if isinstance(wanted, dict):
        return wanted.keys() == told.keys() and all(
            _alike(wanted[key], told[key], groups) for key in wanted
        )
    if wanted == "{group}":
        return bool(re.fullmatch(r"facecrafter-[0-9a-f]{32}", told)) and told == groups.get(
            "group", told
        )
    if wanted == "{faces}":
        return isinstance(told, list) and 1 <= len(told) <= 10
    if wanted == "person {number}":
        return bool(re.fullmatch(r"person [0-9]+", told))
    return wanted == told


def _create(script: Script, groups: dict[str, str], body: bytes) -> None:
    script.groups.add(groups["group"])
    script.people.clear()


def _person(script: Script, groups: dict[str, str], body: bytes) -> dict[str, str]:
    script.people.append(script.new())
    return {"personId": script.people[-1]}


def _face(script: Script, groups: dict[str, str], body: bytes) -> dict[str, str]:
    script.faces[groups["person"]] = script.faces.get(groups["person"], 0) + 1
    return {"persistedFaceId": script.new()}


def _train(script: Script, groups: dict[str, str], body: bytes) -> None:
    return None


def _training(script: Script, groups: dict[str, str], body: bytes) -> dict[str, Any]:
    status = script.trainings.popleft() if script.trainings else "succeeded"
    return {**RECORDED["calls"]["training"]["answer"]["body"], "status": status}


def _detect(script: Script, groups: dict[str, str], body: bytes) -> list[dict[str, Any]]:
    """Before there is a group the picture is nobody's."""
    sees = script.sees[len(script.asked)] if script.groups else (NO_FACE, 0.0)
    face = script.new()
    if script.groups:
        script.asked[face] = sees
    form = RECORDED["calls"]["detect"]["answer"]["body"][0]
    return [] if sees[0] == NO_FACE else [{**form, "faceId": face}]


def _identify(script: Script, groups: dict[str, str], body: bytes) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for face in json.loads(body)["faceIds"]:
        who, confidence = script.asked[face]
        person = script.people[who] if isinstance(who, int) else script.new()
        candidate = {"personId": person, "confidence": confidence}
        told.append({"faceId": face, "candidates": [] if who == NOBODY else [candidate]})
    return told


def _delete(script: Script, groups: dict[str, str], body: bytes) -> None:
    script.groups.discard(groups["group"])


_DOES = {
    "create": _create,
    "person": _person,
    "face": _face,
    "train": _train,
    "training": _training,
    "detect": _detect,
    "identify": _identify,
    "delete": _delete,
}
_NAMES = (*RECORDED["others"], SILENCE)


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The server's address, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answer_to(script, self, body)
            if not answer["status"]:
                script.over.wait()
                return
            told = answer["text"] if "text" in answer else json.dumps(answer.get("body"))
            data = b"" if "body" not in answer and "text" not in answer else told.encode()
            self.send_response(answer["status"])
            for name, value in answer.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = respond

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        script.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
