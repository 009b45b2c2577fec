"""What was once released for an image is released again, byte for byte (V-A, A3).

Averaging several releases of one photograph needs several releases. The memory is written before
anything is returned, so a crash cannot lead to a second crafting; two processes agree because the
first one to write wins and both read back what was written.

Features come back in the order of the images, also those of a defence that shuffles. To send them
in a random order, shuffle last: `Shuffled(Remembered(Crafter()))`.
"""

import hmac
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from facecrafter import wire
from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Encode,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import NotProtected, WireError
from facecrafter.randomness import stream
from facecrafter.types import Features, Images

KEY_BYTES = 32
SEAL_BYTES = 32  # of SHA-256
ALIKE = 1e-3  # of a probe's length: two machines' rounding of one encoder, not two encoders; ours
_TABLES = (
    "encoder (one INTEGER PRIMARY KEY, probe BLOB NOT NULL)",
    "secret (one INTEGER PRIMARY KEY, key BLOB NOT NULL)",
    "released (image BLOB PRIMARY KEY, feature BLOB NOT NULL)",
)


@dataclass(frozen=True)
class Remembered(AbstractDefence):
    """The release of another defence, crafted once for each image and kept; in order of the images.

    The memory holds protected features under keyed hashes of the images, never an image or a
    name. A near-duplicate (re-encoded, shifted by a pixel) is another image to it. It belongs to
    one encoder: a feature of another would tell its cloud nothing and an attacker more. It does not
    ask with which settings a feature was made: the first release of an image stays.
    """

    defence: AbstractDefence
    memory: Path | None = None  # SQLite file, mode 0600; none: within this process only

    def fit(self, offline: Offline, rng: Generator) -> "_Remembered":
        return _Remembered(self.defence.fit(offline, rng), _Memory(self.memory), offline.encode)


class _Remembered(AbstractProtector):
    def __init__(self, protector: AbstractProtector, memory: "_Memory", encode: Encode) -> None:
        super().__init__()
        self.protector, self.memory, self.encode = protector, memory, encode
        self.kept = 0  # images so far that had been released before

    def protect(self, images: Images, rng: Generator) -> Release:
        self.memory.require_encoder(self._probe(images))
        keys = [self.memory.key(image.cpu().numpy().tobytes()) for image in images]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        new = sorted(row for key, row in first.items() if not self.memory.knows(key))
        if new:
            release = self.protector(images[new], rng)
            self.memory.write([keys[row] for row in new], release.in_order_of_images().cpu())
        self.kept += len(images) - len(new)
        features = torch.cat([self.memory.read(key) for key in keys])
        return Release(features.to(images.device), straight(images))

    def _probe(self, images: Images) -> Tensor:  # (1, channels, height, width)
        """What tells this encoder from others: its feature of an image that is nobody's."""
        probe = torch.rand(images.shape[1:], generator=stream(0, "probe"))[None]
        with torch.no_grad():
            return self.encode(probe.to(images)).float().cpu()


class _Memory:
    """Keyed hash of an image -> released feature, sealed so that no other bit of it passes."""

    def __init__(self, path: Path | None) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self.database = sqlite3.connect(path or ":memory:", timeout=30, isolation_level=None)
            self.database.execute("PRAGMA journal_mode=WAL")
            self.database.execute("PRAGMA synchronous=FULL")
            for table in _TABLES:
                self.database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            self.database.execute(
                "INSERT OR IGNORE INTO secret VALUES (1, ?)", (os.urandom(KEY_BYTES),)
            )
            (self.secret,) = self.database.execute("SELECT key FROM secret").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise _closed(error) from error

    def key(self, content: bytes) -> bytes:
        """Hash of an image under a key that never leaves the device."""
        return hmac.digest(self.secret, content, "sha256")

    def require_encoder(self, probe: Tensor) -> None:
        """Bind a new memory to an encoder; raise `NotProtected` where it is bound to another."""
        if not bool(torch.isfinite(probe).all()):
            raise NotProtected(
                "the encoder's features are not finite, so nothing was released. Check the weights."
            )
        found = self._one("SELECT probe FROM encoder")
        if found is None:
            self._one("INSERT OR IGNORE INTO encoder VALUES (1, ?)", wire.dumps(probe))
            found = self._one("SELECT probe FROM encoder") or b""
        try:
            known = wire.loads(found)
        except WireError as error:
            raise _closed(error) from error
        if known.shape != probe.shape or not (known - probe).norm() <= ALIKE * known.norm():
            raise NotProtected(
                "the memory holds features of another encoder, so nothing was released. Give each "
                "bundle a memory of its own, or the bundle that this one was used with."
            )

    def knows(self, key: bytes) -> bool:
        return self._ask(key) is not None

    def read(self, key: bytes) -> Features:
        found = self._ask(key)
        if found is None:
            raise NotProtected("a feature was written and is gone: the memory is being altered.")
        seal, body = found[:SEAL_BYTES], found[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(key, body)):
            raise NotProtected(
                "the memory holds a damaged feature, so nothing was released. Restore the memory "
                "from a backup: crafting anew would let releases be averaged."
            )
        return wire.loads(body)

    def write(self, keys: Sequence[bytes], features: Features) -> None:
        """All rows or none; a row that another process wrote first stays."""
        bodies = [wire.dumps(feature[None]) for feature in features]
        rows = [(key, self._seal(key, body) + body) for key, body in zip(keys, bodies, strict=True)]
        try:
            self.database.execute("BEGIN IMMEDIATE")
            self.database.executemany("INSERT OR IGNORE INTO released VALUES (?, ?)", rows)
            self.database.execute("COMMIT")
        except sqlite3.Error as error:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
            raise _closed(error) from error

    def _seal(self, key: bytes, body: bytes) -> bytes:
        """Ties a feature to its image; of another length than what `key` hashes."""
        return hmac.digest(self.secret, b"seal" + key + body, "sha256")

    def _ask(self, key: bytes) -> bytes | None:
        return self._one("SELECT feature FROM released WHERE image = ?", key)

    def _one(self, query: str, *values: bytes) -> bytes | None:
        """The first column of the first row, if there is one."""
        try:
            row = self.database.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise _closed(error) from error
        return None if row is None else row[0]


def _closed(error: Exception) -> NotProtected:
    return NotProtected(
        f"the memory of released features cannot be used ({error}), so nothing was released. Check "
        "the disk and the file's rights; do not delete it, or releases could be averaged."
    )
