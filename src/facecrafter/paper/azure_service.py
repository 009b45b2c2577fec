"""Microsoft's Azure Face service over HTTPS: the calls that an identity judge needs, and no others.

As its documentation has version 1.0 of the REST interface. Nothing but the standard library; every
call has a connection of its own, for a run has thousands of calls and no hurry: the service takes
ten in a second. No redirect is followed, no proxy is used, certificates are checked.
"""

import http.client
import itertools
import json
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from facecrafter.errors import ServiceError, SettingError

BASE = "/face/v1.0"
AT_ONCE = 10  # faces of one call of `identify`; the service's limit
LIVES = 3600  # seconds after which the service forgets a face that was only asked about; ours
LONGEST_ANSWER = 2**20  # bytes; ours, a thousand times what these calls answer
LONGEST_TOLD = 300  # characters of a reason of the service's that are passed on; ours

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")  # of a person or face: it becomes part of a path
_KEY = re.compile(r"[!-~]{8,512}")  # what a header can hold

_HINTS = {
    401: "Give the key of this very resource, and its endpoint.",
    403: "Identifying people is of limited access: Microsoft must have approved it for this "
    "resource, which must be of a paid tier; or its quota is used up.",
    404: "Is this the endpoint of a resource for Face?",
}


@dataclass(frozen=True)
class Candidate:
    """Whom the service takes a face for."""

    person: str  # its id
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class FaceService:
    """One resource of a user. Its calls raise `ServiceError`, whose text never holds the key.

    A call that meets too many requests (429), a fault of the service (5xx) or a broken connection
    is made again, later and later; any other refusal is final. Raises `SettingError` for an
    endpoint or key that cannot be one.
    """

    endpoint: str  # https://NAME.cognitiveservices.azure.com; http on this machine alone
    key: str = field(repr=False)
    timeout: float = 60.0  # seconds that a connection or an answer may keep silent; ours
    tries: int = 6  # of each call; ours
    pause: float = 1.0  # seconds before the second try, twice as many before each further one; ours
    longest: float = 120.0  # seconds of a wait that the service may ask for; ours
    training: float = 900.0  # seconds that it may train; ours

    def __post_init__(self) -> None:
        _address(self.endpoint)
        if not _KEY.fullmatch(self.key):
            raise SettingError(
                f"the key is none: it has {len(self.key)} characters, or some that no header can "
                "hold. Copy it again, without blanks and line ends."
            )

    @property
    def host(self) -> str:
        """To whom everything is sent."""
        return _address(self.endpoint).netloc

    def create(self, group: str, recognition: str) -> None:
        """A large person group. `recognition`: name of the model that its faces are known by."""
        body = {"name": group, "recognitionModel": recognition}
        self._say("create a group", "PUT", _path(group), body)

    def add_person(self, group: str, name: str) -> str:
        """Somebody without a face yet; returns the service's id."""
        what = "add a person"
        answer = self._json(what, self._say(what, "POST", _path(group, "persons"), {"name": name}))
        return _id(what, answer, "personId")

    def add_face(self, group: str, person: str, picture: bytes, detection: str) -> bool:
        """Show a person. False where the service sees no face in the picture, or several."""
        what, path = "add a face", _path(group, "persons", person, "persistedfaces")
        try:
            answer = self._show(what, path, picture, {"detectionModel": detection})
        except _Refused as error:
            if error.code == "InvalidImage":
                return False
            raise
        _id(what, self._json(what, answer), "persistedFaceId")
        return True

    def train(self, group: str) -> None:
        """Learn to tell a group's people apart; returns when that is done."""
        what, end = "train", time.monotonic() + self.training
        self._say(what, "POST", _path(group, "train"))
        while True:
            answer = self._json(what, self._say(what, "GET", _path(group, "training")))
            status = str(_value(what, answer, "status")).lower()
            if status == "succeeded":
                return
            if status == "failed":
                told = self._safe(str(answer.get("message") or "it does not say why"))
                raise ServiceError(f"the service could not learn to tell the people apart: {told}")
            if status not in ("notstarted", "running"):
                raise _nonsense(what, f"a training that is {self._safe(status)!r}")
            if not time.monotonic() < end:
                raise ServiceError(
                    f"the service still trains after {self.training:.0f} s. Try again later."
                )
            time.sleep(self.pause)

    def detect(self, picture: bytes, recognition: str, detection: str) -> str | None:
        """The id of the largest face in a picture; None where the service sees none."""
        what = "detect a face"
        query = {
            "returnFaceId": "true",
            "recognitionModel": recognition,
            "detectionModel": detection,
            "faceIdTimeToLive": str(LIVES),
        }
        found = self._json(what, self._show(what, "/detect", picture, query))
        if not isinstance(found, list):
            raise _nonsense(what, "no list of faces")
        return _id(what, found[0], "faceId") if found else None

    def identify(
        self, group: str, faces: Sequence[str], threshold: float
    ) -> dict[str, Candidate | None]:
        """Whom each face shows, by its id; None where nobody is as likely as `threshold`.

        `faces`: 1 to `AT_ONCE` of them.
        """
        what = "identify faces"
        body = {
            "largePersonGroupId": group,
            "faceIds": list(faces),
            "maxNumOfCandidatesReturned": 1,
            "confidenceThreshold": threshold,
        }
        answer = self._json(what, self._say(what, "POST", "/identify", body))
        if not isinstance(answer, list):
            raise _nonsense(what, "no list of faces")
        found = {_id(what, one, "faceId"): _candidate(what, one) for one in answer}
        if found.keys() != set(faces):
            raise _nonsense(what, f"{len(found)} faces, other ones than the {len(faces)} asked for")
        return found

    def delete(self, group: str) -> None:
        """Let the service forget a group, all its people and faces; one that is gone is no error.

        Waits for a training to end: that is the one conflict (409) that a later try settles.
        """
        try:
            self._say("delete the group", "DELETE", _path(group))
        except _Refused as error:
            if error.status != 404:
                raise

    def _say(self, what: str, method: str, path: str, told: Mapping[str, Any] | None = None) -> str:
        body = b"" if told is None else json.dumps(told).encode()
        return self._call(what, method, path, body, "application/json")

    def _show(self, what: str, path: str, picture: bytes, query: Mapping[str, str]) -> str:
        path = f"{path}?{urlencode(query)}"
        return self._call(what, "POST", path, picture, "application/octet-stream")

    def _call(self, what: str, method: str, path: str, body: bytes, kind: str) -> str:
        """One call, made again where that can help; returns the body of the answer."""
        for turn in itertools.count():
            try:
                return self._once(what, method, path, body, kind)
            except _Passing as error:
                if turn + 1 >= self.tries:
                    raise ServiceError(
                        f"the service did not {what} in {self.tries} tries; the last time {error}. "
                        "Try again later; what was measured is kept."
                    ) from error
                time.sleep(self.pause * 2**turn if error.wait is None else error.wait)
        raise AssertionError  # the count has no end

    def _once(self, what: str, method: str, path: str, body: bytes, kind: str) -> str:
        headers = {"Ocp-Apim-Subscription-Key": self.key, "Content-Type": kind}
        try:
            connection = _connection(_address(self.endpoint), self.timeout)
            try:
                connection.request(method, BASE + path, body, headers)
                answer = connection.getresponse()
                text = answer.read(LONGEST_ANSWER + 1)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as error:
            raise ServiceError(
                f"the certificate of {self.host} is not to be trusted ({error.verify_message}): "
                "nothing was sent to it. Check --endpoint, and who stands between."
            ) from error
        except TimeoutError as error:
            raise _Passing(f"{self.host} kept silent for {self.timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            told = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise _Passing(f"{self.host} was not reached ({self._safe(told)})") from error
        if len(text) > LONGEST_ANSWER:
            raise _nonsense(what, f"more than {LONGEST_ANSWER:,} bytes")
        if 200 <= answer.status < 300:
            return text.decode("utf-8", "replace")
        raise self._failure(what, method, answer, text)

    def _failure(
        self, what: str, method: str, answer: http.client.HTTPResponse, text: bytes
    ) -> ServiceError:
        status = answer.status
        if 300 <= status < 400:
            return ServiceError(
                f"{self.host} sends us elsewhere ({status}), where neither the key nor a "
                "photograph will go. Check --endpoint."
            )
        code, reason = _reason(text)
        told = self._safe(f"{status} {code}: {reason}")
        if status >= 500 or (status == 409 and method == "DELETE"):
            return _Passing(f"it answered {told}")
        if status == 429:
            wait = _seconds(answer.headers.get("Retry-After"))
            if wait is not None and wait > self.longest:
                return ServiceError(
                    f"the service has no time to {what} before {wait:.0f} s are over ({told}). Try "
                    "again later; what was measured is kept."
                )
            return _Passing(f"it answered {told}", wait)
        hint = _HINTS.get(status, "This is final: the same call would be refused again.")
        return _Refused(f"the service refuses to {what} ({told}). {hint}", status, code)

    def _json(self, what: str, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _nonsense(what, "what is no JSON") from error

    def _safe(self, told: str) -> str:
        """A reason in one line, without the key, should the service repeat it."""
        line = "".join(sign if sign.isprintable() else " " for sign in told)
        return line.replace(self.key, "(the key)")[:LONGEST_TOLD]


class _Refused(ServiceError):
    """A refusal that the same call would meet again."""

    def __init__(self, told: str, status: int, code: str) -> None:
        super().__init__(told)
        self.status, self.code = status, code


class _Passing(ServiceError):
    """A failure that may pass. `wait`: seconds that the service asks for; None = it does not."""

    def __init__(self, told: str, wait: float | None = None) -> None:
        super().__init__(told)
        self.wait = wait


def _nonsense(what: str, told: str) -> ServiceError:
    return ServiceError(
        f"asked to {what}, the service answered {told}, which its documentation does not have. Is "
        "this the endpoint of a resource for Face?"
    )


def _address(endpoint: str) -> SplitResult:
    """The parts of an endpoint. Raises `SettingError`, which repeats no more than its host."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingError(f"the endpoint is no address ({error}).") from error
    odd = parts.username is not None or parts.query or parts.fragment
    if not host or odd or parts.path not in ("", "/") or not endpoint.isascii():
        raise SettingError(
            f"the endpoint at {host or 'no host'} must be https://NAME.cognitiveservices.azure.com "
            "with nothing before the name and nothing after it."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(host)):
        raise SettingError(
            f"{parts.scheme or 'nothing'}:// to {host} would show the key and the photographs to "
            "everybody on the way. Give an endpoint that begins with https://."
        )
    return parts


def _is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connection(address: SplitResult, timeout: float) -> http.client.HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "http":
        return http.client.HTTPConnection(host, address.port, timeout=timeout)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, address.port, timeout=timeout, context=context)


def _path(group: str, *more: str) -> str:
    return "/".join(["/largepersongroups", *(quote(part, safe="") for part in (group, *more))])


def _value(what: str, told: Any, name: str) -> Any:
    if not isinstance(told, dict) or name not in told:
        raise _nonsense(what, f"something without {name}")
    return told[name]


def _id(what: str, told: Any, name: str) -> str:
    found = _value(what, told, name)
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise _nonsense(what, f"a {name} that is none")
    return found


def _candidate(what: str, told: Any) -> Candidate | None:
    candidates = _value(what, told, "candidates")
    if not isinstance(candidates, list):
        raise _nonsense(what, "no list of candidates")
    if not candidates:
        return None
    confidence = _value(what, candidates[0], "confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise _nonsense(what, "a confidence that is no number")
    if not 0 <= confidence <= 1:
        raise _nonsense(what, f"a confidence of {confidence}")
    return Candidate(_id(what, candidates[0], "personId"), float(confidence))


def _reason(text: bytes) -> tuple[str, str]:
    """Code and message of an error, as far as it has them; gateways leave out the outer object."""
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = {}
    inside: Any = told.get("error", told) if isinstance(told, dict) else {}
    if not isinstance(inside, dict):
        inside = {}
    code = inside.get("code", inside.get("statusCode", ""))
    return str(code), str(inside.get("message", "it gives no reason"))


def _seconds(told: str | None) -> float | None:
    """What Retry-After asks for, if it is a number of seconds."""
    return float(told) if told is not None and re.fullmatch(r"[0-9]{1,6}", told) else None
