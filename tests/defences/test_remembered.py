"""One image, one feature, for ever."""

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch

from facecrafter.defences.base import AbstractDefence, AbstractProtector, Offline, Release
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.defences.remembered import Remembered
from facecrafter.defences.shuffled import Shuffled
from facecrafter.errors import NotProtected
from facecrafter.models.prior import Prior
from facecrafter.randomness import secret, stream
from facecrafter.types import Features, Images
from remembering import client, client_on_a_full_disk, digest, photographs, remembering

ROUNDS = 6


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "memory"


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """A server that has imported everything once; its forks start in a moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["facecrafter.defences.remembered"])
    return context


def test_same_image_same_bytes_whatever_the_batch_and_the_seed(memory: Path) -> None:
    protector = remembering(memory)
    first = protector(photographs([0, 1, 2]), stream(0, "a")).features
    other = protector(photographs([3, 2, 0]), stream(1, "b")).features
    assert digest(other[1]) == digest(first[2])
    assert digest(other[2]) == digest(first[0])
    alone = protector(photographs([1]), stream(2, "c")).features
    assert digest(alone[0]) == digest(first[1])
    assert len({digest(feature) for feature in torch.cat([first, other[:1]])}) == 4


@pytest.mark.parametrize("in_memory", [True, False])
def test_features_are_those_of_the_defence_and_in_the_order_of_the_images(
    in_memory: bool, memory: Path
) -> None:
    """With noise 0 the feature of each image is known: nothing is mixed up or rounded."""
    offline = Offline(lambda images: images * 2, remembering(None).protector.offline.prior)
    recipe = Remembered(Shuffled(Noise(0.0)), None if in_memory else memory)
    protector = recipe.fit(offline, secret())
    for numbers in ([0, 1, 2, 3], [5, 2, 4, 0, 2], [5, 4, 3, 2, 1]):
        release = protector(photographs(numbers), secret())
        assert torch.equal(release.features, photographs(numbers) * 2)
        assert release.order.tolist() == list(range(len(numbers)))


def test_survives_a_restart(memory: Path) -> None:
    first = remembering(memory)(photographs([0, 1]), secret()).features
    again = remembering(memory)(photographs([1, 0]), secret()).features
    assert torch.equal(first, again.flip(0))


def test_without_a_file_each_protector_has_a_memory_of_its_own() -> None:
    one, other = (remembering(None)(photographs([0]), secret()).features for _ in range(2))
    assert not torch.equal(one, other)


def test_another_image_by_one_bit_is_another_image(memory: Path) -> None:
    """It stops no near-duplicate, and says so."""
    protector, image = remembering(memory), photographs([0])
    near = image.clone()
    near[0, 0, 0, 0] = torch.nextafter(near[0, 0, 0, 0], torch.tensor(1.0))
    one, other = (protector(some, secret()).features for some in (image, near))
    assert not torch.equal(one, other)


class Counting(AbstractProtector):
    """Notes how many images it was asked to protect."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def protect(self, images: torch.Tensor, rng: torch.Generator) -> Release:
        self.asked.append(len(images))
        return Release(torch.randn(images.shape, generator=rng), torch.arange(len(images)))


def test_each_image_is_crafted_once_also_within_a_batch(memory: Path) -> None:
    protector: Any = remembering(memory)
    protector.protector = Counting()
    features = protector(photographs([0, 1, 0, 0, 2, 1]), secret()).features
    protector(photographs([2, 0]), secret())
    protector(photographs([2, 3]), secret())
    assert protector.protector.asked == [3, 1]
    assert torch.equal(features[0], features[2])
    assert torch.equal(features[0], features[3])
    assert torch.equal(features[1], features[5])
    assert len({digest(feature) for feature in features}) == 3


def test_a_client_that_was_slower_gives_what_the_faster_one_released(memory: Path) -> None:
    """Both have crafted, one has written: the other reads back and throws its own away."""
    slow: Any = remembering(memory)
    faster: list[torch.Tensor] = []

    class Overtaken(Counting):
        def protect(self, images: torch.Tensor, rng: torch.Generator) -> Release:
            release = super().protect(images, rng)
            faster.append(remembering(memory)(photographs([0, 1]), secret()).features)
            return release

    slow.protector = Overtaken()
    released = slow(photographs([1, 0]), secret()).features
    assert torch.equal(released, faster[0].flip(0))


def test_a_failed_crafting_leaves_nothing_behind(memory: Path) -> None:
    class Failing(Counting):
        def protect(self, images: torch.Tensor, rng: torch.Generator) -> Release:
            return Release(torch.full(images.shape, torch.nan), torch.arange(len(images)))

    protector: Any = remembering(memory)
    protector.protector = Failing()
    with pytest.raises(NotProtected):
        protector(photographs([0]), secret())
    assert rows(memory, "SELECT count(*) FROM released") == [(0,)]


def rows(memory: Path, query: str, *values: Any) -> list[Any]:
    database = sqlite3.connect(memory, isolation_level=None)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def test_survives_kill_9_of_two_clients_at_any_moment(
    memory: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    """Rounds of two clients that meet the same images, killed after a random time.

    Whatever any of them had in hand, for each image it was one feature.
    """
    dice = random.Random(0)
    logs = [tmp_path / "log 0", tmp_path / "log 1"]
    killed = 0
    for number in range(ROUNDS):
        # half of them known from the round before; far more than there is time for
        numbers = list(range(200 * number, 200 * number + 400))
        race = batches(numbers * 3, dice)  # the same for both, so that they meet
        lives = [processes.Process(target=client, args=(memory, log, race)) for log in logs]
        before = [size(log) for log in logs]
        for life in lives:
            life.start()
        wait_for(lambda before=before: [size(log) for log in logs] != before)
        time.sleep(dice.uniform(0, 0.05))
        for life in lives:
            life.kill()
        for life in lives:
            life.join()
            killed += life.exitcode == -signal.SIGKILL
    assert killed > ROUNDS  # of twice as many
    for log in logs:
        client(memory, log, batches(list(range(100)), dice))
    assert_one_feature_each(logs, memory)


def batches(numbers: list[int], dice: random.Random) -> list[list[int]]:
    """By threes, in random order."""
    mixed = dice.sample(numbers, len(numbers))
    return [mixed[i : i + 3] for i in range(0, len(mixed), 3)]


def assert_one_feature_each(logs: list[Path], memory: Path) -> None:
    features: dict[int, set[str]] = defaultdict(set)
    times = 0
    for log in logs:
        for line in log.read_text().splitlines():
            number, _, seen = line.partition(" ")
            if len(seen) == 64:  # a killed process may leave half a line
                features[int(number)].add(seen)
                times += 1
    assert len(features) > 100  # some were met by clients that were killed
    assert times > len(features) + 100  # and many more than once
    assert {number: seen for number, seen in features.items() if len(seen) > 1} == {}
    again = remembering(memory)(photographs(sorted(features)), secret()).features
    assert [{digest(feature)} for feature in again] == [features[i] for i in sorted(features)]


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "no client got anywhere"
        time.sleep(0.002)


def test_a_full_disk_releases_nothing(
    memory: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    first = remembering(memory)(photographs([0]), secret()).features
    child = processes.Process(target=client_on_a_full_disk, args=(memory, tmp_path / "log"))
    child.start()
    child.join()
    assert (tmp_path / "log").read_text().startswith("refused: the memory")
    assert torch.equal(remembering(memory)(photographs([0]), secret()).features, first)
    assert rows(memory, "SELECT count(*) FROM released") == [(1,)]  # all rows or none


def other_value(body: bytes) -> bytes:
    """The last byte of the last number, by one bit: still a finite feature."""
    return body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: b"",
        lambda body: body[:-4],
        lambda body: bytes([body[0] ^ 1]) + body[1:],
        lambda body: body[:60] + bytes([body[60] ^ 1]) + body[61:],
        other_value,
    ],
    ids=["empty", "short", "first bit", "header bit", "value bit"],
)
def test_a_damaged_row_releases_nothing(memory: Path, damage: Callable[[bytes], bytes]) -> None:
    protector = remembering(memory)
    protector(photographs([0]), secret())
    ((body,),) = rows(memory, "SELECT feature FROM released")
    rows(memory, "UPDATE released SET feature = ?", damage(body))
    with pytest.raises(NotProtected, match="damaged"):
        protector(photographs([0, 1]), secret())
    with pytest.raises(NotProtected, match="damaged"):
        remembering(memory)(photographs([0]), secret())


def test_rows_that_changed_places_release_nothing(memory: Path) -> None:
    """Else one person's feature would be sent as another's."""
    protector = remembering(memory)
    protector(photographs([0, 1]), secret())
    (one, _), (other, body) = rows(memory, "SELECT image, feature FROM released")
    assert one != other
    rows(memory, "UPDATE released SET feature = ? WHERE image = ?", body, one)
    with pytest.raises(NotProtected, match="damaged"):
        protector(photographs([0, 1]), secret())


def test_a_row_that_disappears_between_writing_and_reading_releases_nothing(memory: Path) -> None:
    protector: Any = remembering(memory)
    write = protector.memory.write

    def forget(*given: Any) -> None:
        write(*given)
        rows(memory, "DELETE FROM released")

    protector.memory.write = forget
    with pytest.raises(NotProtected, match="altered"):
        protector(photographs([0]), secret())


def test_a_file_that_is_no_memory_is_refused_and_left_alone(memory: Path) -> None:
    memory.parent.mkdir()
    memory.write_bytes(b"holiday" * 1000)
    with pytest.raises(NotProtected, match="not a database"):
        remembering(memory)
    assert memory.read_bytes() == b"holiday" * 1000


def test_a_file_that_breaks_while_in_use_releases_nothing(memory: Path) -> None:
    protector = remembering(memory)
    protector(photographs(list(range(20))), secret())
    rows(memory, "PRAGMA wal_checkpoint(TRUNCATE)")
    memory.write_bytes(memory.read_bytes()[:4096] + os.urandom(memory.stat().st_size - 4096))
    with pytest.raises(NotProtected):
        remembering(memory)(photographs([0]), secret())


@pytest.mark.parametrize(
    "place", [Path("/proc/nowhere/memory"), Path("/proc"), Path("/dev/full")], ids=str
)
def test_a_place_that_cannot_be_written_is_refused(place: Path) -> None:
    with pytest.raises(NotProtected):
        remembering(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_file_without_rights_is_refused(memory: Path) -> None:
    remembering(memory)
    memory.chmod(0o400)
    with pytest.raises(NotProtected):
        remembering(memory)


def test_a_memory_that_cannot_be_written_releases_what_it_knows_and_nothing_new(
    memory: Path,
) -> None:
    protector: Any = remembering(memory)
    first = protector(photographs([0]), secret()).features
    protector.memory.database.execute("PRAGMA query_only=ON")
    assert torch.equal(protector(photographs([0]), secret()).features, first)
    with pytest.raises(NotProtected, match="readonly"):
        protector(photographs([0, 1]), secret())


def test_a_memory_that_another_process_locks_releases_nothing_new(memory: Path) -> None:
    protector: Any = remembering(memory)
    protector.memory.database.execute("PRAGMA busy_timeout=20")  # not 30 s
    other = sqlite3.connect(memory, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotProtected, match="locked"):
        protector(photographs([0]), secret())
    other.execute("ROLLBACK")
    other.close()
    assert len(protector(photographs([0]), secret()).features) == 1


def test_nobody_else_may_read_the_memory(memory: Path) -> None:
    old = os.umask(0)
    try:
        protector = remembering(memory)
        protector(photographs([0]), secret())
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in memory.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("memory", "memory-wal", "memory-shm"), "0o600")


@pytest.mark.parametrize(
    "encode",
    [lambda images: images * 2.02, lambda images: images[:, :2] * 2],
    ids=["other weights", "another shape"],
)
def test_the_memory_of_another_encoder_is_refused(
    memory: Path, encode: Callable[[Images], Features]
) -> None:
    images = photographs([1, 2])
    before = remembering(memory)(images, secret()).features
    other = Remembered(Noise(1.0), memory).fit(Offline(encode, Prior(2, 1, 8)), secret())
    with pytest.raises(NotProtected, match=r"another encoder.*memory of its own"):
        other(photographs([1, 3]), secret())
    assert torch.equal(remembering(memory)(images, secret()).features, before)


def test_a_memory_that_does_not_say_whose_it_is_releases_nothing(memory: Path) -> None:
    remembering(memory)(photographs([1]), secret())
    with sqlite3.connect(memory) as database:
        database.execute("UPDATE encoder SET probe = ?", (b"damaged",))
    with pytest.raises(NotProtected, match="cannot be used"):
        remembering(memory)(photographs([1]), secret())


def test_rounding_on_another_machine_is_the_same_encoder(memory: Path) -> None:
    before = remembering(memory)(photographs([1]), secret()).features
    offline = Offline(lambda images: images * 2.0000005, Prior(2, 1, 8))
    other = Remembered(Noise(1.0), memory).fit(offline, secret())
    assert torch.equal(other(photographs([1]), secret()).features, before)


def test_how_many_had_been_released_before_is_told(memory: Path) -> None:
    protector: Any = remembering(memory)
    protector(photographs([1, 2, 1]), secret())
    assert protector.kept == 1
    protector(photographs([2, 3]), secret())
    assert protector.kept == 2


def test_the_memory_holds_neither_image_nor_raw_feature_nor_an_unkeyed_hash(memory: Path) -> None:
    """Searched for in all its files: pieces of the image as floats and bytes, and its hashes."""
    image = photographs([0])
    protector: Any = remembering(memory)
    protector(image, secret())
    content = b"".join(file.read_bytes() for file in memory.parent.iterdir())
    pieces = {
        "image": image.numpy().tobytes()[64:80],
        "raw feature": (image * 2).numpy().tobytes()[64:80],
        "bytes of the image": (image * 255).round().byte().numpy().tobytes()[64:76],
        "hash": bytes.fromhex(digest(image)),
    }
    assert [name for name, piece in pieces.items() if piece in content] == []
    feature = protector(image, secret()).features.numpy().tobytes()
    assert feature[64:80] in content  # the search can find things


def test_each_memory_has_a_key_of_its_own(tmp_path: Path) -> None:
    """So that two memories cannot be compared to see who was in both."""
    keys: list[bytes] = []
    for name in ("one", "other"):
        remembering(tmp_path / name)(photographs([0]), secret())
        keys += [key for (key,) in rows(tmp_path / name, "SELECT image FROM released")]
    assert keys[0] != keys[1]


def fitted(recipe: AbstractDefence) -> AbstractProtector:
    offline = Offline(lambda images: images * 2, remembering(None).protector.offline.prior)
    return recipe.fit(offline, secret())


def test_remembered_restores_the_order_so_shuffled_must_be_outermost() -> None:
    inside = fitted(Remembered(Shuffled(Plain())))
    for seed in range(5):
        assert inside(photographs([0, 1, 2]), stream(seed, "x")).order.tolist() == [0, 1, 2]


def test_shuffled_outermost_shuffles_what_is_remembered(memory: Path) -> None:
    outside = fitted(Shuffled(Remembered(Noise(1.0), memory)))
    releases = [outside(photographs([0, 1, 2, 3]), stream(seed, "x")) for seed in range(8)]
    assert len({tuple(release.order.tolist()) for release in releases}) > 4
    for release in releases:
        assert torch.equal(release.in_order_of_images(), releases[0].in_order_of_images())
