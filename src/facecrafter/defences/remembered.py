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
from torch import Generator

from facecrafter import wire
from facecrafter.defences.base import (
    AbstractDefence,
    AbstractProtector,
    Offline,
    Release,
    straight,
)
from facecrafter.errors import NotProtected
from facecrafter.types import Features, Images

KEY_BYTES = 32
SEAL_BYTES = 32  # of SHA-256
_TABLES = (
    "secret (one INTEGER PRIMARY KEY, key BLOB NOT NULL)",
    "released (image BLOB PRIMARY KEY, feature BLOB NOT NULL)",
)


@dataclass(frozen=True)
class Remembered(AbstractDefence):
    """The release of another defence, crafted once for each image and kept; in order of the images.

    The memory holds protected features under keyed hashes of the images, never an image or a
    name. A near-duplicate (re-encoded, shifted by a pixel) is another image to it.
    """

    defence: AbstractDefence
    memory: Path | None = None  # SQLite file, mode 0600; none: within this process only

    def fit(self, offline: Offline, rng: Generator) -> AbstractProtector:
        return _Remembered(self.defence.fit(offline, rng), _Memory(self.memory))


class _Remembered(AbstractProtector):
    def __init__(self, protector: AbstractProtector, memory: "_Memory") -> None:
        super().__init__()
        self.protector, self.memory = protector, memory

    def protect(self, images: Images, rng: Generator) -> Release:
        keys = [self.memory.key(image.cpu().numpy().tobytes()) for image in images]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        new = sorted(row for key, row in first.items() if not self.memory.knows(key))
        if new:
            release = self.protector(images[new], rng)
            self.memory.write([keys[row] for row in new], release.in_order_of_images().cpu())
        features = torch.cat([self.memory.read(key) for key in keys])
        return Release(features.to(images.device), straight(images))


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
        try:
            query = "SELECT feature FROM released WHERE image = ?"
            row = self.database.execute(query, (key,)).fetchone()
        except sqlite3.Error as error:
            raise _closed(error) from error
        return None if row is None else row[0]


def _closed(error: Exception) -> NotProtected:
    return NotProtected(
        f"the memory of released features cannot be used ({error}), so nothing was released. Check "
        "the disk and the file's rights; do not delete it, or releases could be averaged."
    )
