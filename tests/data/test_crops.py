"""Photographs of every kind become crops; what is none is refused by name, without a traceback."""

import io
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecrafter.data import crops as module
from facecrafter.data.crops import LARGEST, Crop, crops, read
from facecrafter.errors import DataError, SettingError, UnreadableImage

CROP = Crop(16)


def flat(path: Path, mode: str, colour: object, **options: object) -> Path:
    Image.new(mode, (24, 20), colour).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "colour", "expected"),
    [
        ("grey.jpg", "L", 90, (90, 90, 90)),
        ("grey.png", "LA", (90, 128), (172, 172, 172)),  # half of 90, half of white
        ("alpha.png", "RGBA", (200, 0, 100, 0), (255, 255, 255)),
        ("cmyk.jpg", "CMYK", (0, 255, 255, 0), (254, 0, 0)),
        ("two.png", "1", 1, (255, 255, 255)),
        ("colour.webp", "RGB", (0, 0, 255), (0, 0, 254)),
        ("colour.bmp", "RGB", (7, 8, 9), (7, 8, 9)),
    ],
)
def test_every_kind_of_colour_becomes_rgb(tmp_path, name, mode, colour, expected):
    crop = read(flat(tmp_path / name, mode, colour), CROP)
    assert crop.shape == (3, 16, 16)
    assert crop.dtype == np.uint8
    assert np.abs(crop.astype(int).mean(axis=(1, 2)) - expected).max() <= 3


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_a_palette_may_have_transparent_colours(tmp_path, transparency):
    picture = Image.new("P", (24, 20), 1)
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.save(tmp_path / "palette.png", transparency=transparency)
    assert (read(tmp_path / "palette.png", CROP) == 255).all()


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path):
    Image.fromarray(np.full((20, 24), 32896, np.uint16)).save(tmp_path / "deep.png")
    assert (read(tmp_path / "deep.png", CROP) == 128).all()


def test_exif_rotation_is_applied(tmp_path):
    picture = Image.new("RGB", (40, 40), "black")
    picture.paste("white", (0, 0, 40, 20))  # light above
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    crop = read(tmp_path / "turned.jpg", CROP).astype(int)
    assert crop[:, :, 12:].mean() > 240
    assert crop[:, :, :4].mean() < 15


def test_the_central_square_is_taken(tmp_path):
    picture = Image.new("RGB", (60, 30), "red")
    picture.paste("lime", (15, 0, 45, 30))
    picture.paste("blue", (25, 10, 35, 20))
    picture.save(tmp_path / "wide.png")
    largest = read(tmp_path / "wide.png", Crop(30))
    assert (largest[0] == 0).all()
    assert (largest[2, 11:19, 11:19] == 255).all()
    assert (read(tmp_path / "wide.png", Crop(10, side=10))[2] == 255).all()


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "photo.jpg"
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
        return path
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(whole, "JPEG")
    content = {
        "empty": b"",
        "text": b"This is a letter, not a photograph.\n",
        "truncated": whole.getvalue()[: len(whole.getvalue()) // 2],
        "header alone": whole.getvalue()[:20],
        "noise": random.Random(0).randbytes(4000),
    }
    path.write_bytes(content[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "there is no such file"),
        ("folder", "it is a folder"),
        ("empty", "the file is empty"),
        ("text", "none of JPEG, PNG"),
        ("truncated", "truncated"),
        ("header alone", "photo.jpg cannot be read"),
        ("noise", "none of JPEG, PNG"),
    ],
)
def test_what_is_no_photograph_is_refused_by_name(tmp_path, kind, reason):
    with pytest.raises(UnreadableImage, match=reason) as caught:
        read(damaged(tmp_path, kind), CROP)
    message = str(caught.value)
    assert message.startswith("photo.jpg cannot be read as a photograph")
    assert "Replace or remove" in message
    assert str(tmp_path) not in message
    assert caught.value.__cause__ is None  # no traceback of Pillow's is shown
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damage_anywhere_is_unreadable_or_harmless(tmp_path, kind):
    """Bytes changed at random: a crop or `UnreadableImage`, nothing else."""
    whole = io.BytesIO()
    Image.effect_noise((48, 48), 60).convert("RGB").save(whole, kind)
    rng, path = random.Random(1), tmp_path / f"photo.{kind.lower()}"
    refused = 0
    for _ in range(60):
        content = bytearray(whole.getvalue())
        for _ in range(rng.randint(1, 12)):
            content[rng.randrange(min(len(content), 400))] = rng.randrange(256)
        path.write_bytes(content[: rng.randint(10, len(content))])
        try:
            assert read(path, CROP).shape == (3, 16, 16)
        except UnreadableImage:
            refused += 1
    assert refused > 10


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """Three sizes: over our limit, over Pillow's warning, over Pillow's error."""
    for side in (8_100, 9_600, 20_000):
        assert side**2 > LARGEST
        path = tmp_path / "bomb.png"
        header = Image.new("1", (8, 8))
        whole = io.BytesIO()
        header.save(whole, "PNG")
        path.write_bytes(_resized(whole.getvalue(), side))
        with pytest.raises(UnreadableImage, match=r"bomb.png has .* over the limit of 64,000,000"):
            read(path, CROP)


def _resized(png: bytes, side: int) -> bytes:
    """The same PNG whose header claims another size."""
    import struct
    import zlib

    at = png.index(b"IHDR")
    body = b"IHDR" + struct.pack(">II", side, side) + png[at + 12 : at + 17]
    return png[:at] + body + struct.pack(">I", zlib.crc32(body)) + png[at + 21 :]


def test_no_other_decoder_sees_what_is_given(tmp_path):
    for kind in ("TIFF", "GIF", "PPM", "ICO"):
        Image.new("RGB", (24, 20)).save(tmp_path / "photo.jpg", kind)
        with pytest.raises(UnreadableImage, match="none of JPEG, PNG, WEBP, BMP"):
            read(tmp_path / "photo.jpg", CROP)


def test_too_small_a_photograph_is_refused(tmp_path, photograph):
    path = photograph(tmp_path / "small.png", size=(40, 48))
    with pytest.raises(UnreadableImage, match=r"small.png is 40 x 48 .* crop of 41"):
        read(path, Crop(16, side=41))
    with pytest.raises(UnreadableImage, match="crop of 8"):
        read(flat_of(tmp_path, (24, 7)), Crop(16))


def flat_of(tmp_path: Path, size: tuple[int, int]) -> Path:
    Image.new("RGB", size).save(tmp_path / "flat.png")
    return tmp_path / "flat.png"


@pytest.mark.parametrize("setting", [{"size": 7}, {"side": 3}, {"size": 0}])
def test_too_small_a_crop_is_refused(setting):
    with pytest.raises(SettingError, match="8 pixels or more"):
        Crop(**setting)


def test_the_cache_holds_what_is_read(tmp_path, photograph):
    paths = [photograph(tmp_path / "photos" / f"{i}.png", seed=i) for i in range(5)]
    cache = tmp_path / "cache"
    plain, kept = crops(paths, CROP), crops(paths, CROP, cache)
    assert np.array_equal(plain, kept)
    assert isinstance(kept, np.memmap)
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_the_cache_is_used_again_and_only_for_the_same_files(tmp_path, photograph, monkeypatch):
    paths = [photograph(tmp_path / "photos" / f"{i}.png", seed=i) for i in range(3)]
    cache = tmp_path / "cache"
    crops(paths, CROP, cache)
    real, calls = read, []
    monkeypatch.setattr(module, "read", lambda path, crop: calls.append(path) or real(path, crop))
    crops(paths, CROP, cache)
    assert calls == []
    photograph(paths[1], seed=9)
    os.utime(paths[1], ns=(1, 1))
    assert np.array_equal(crops(paths, CROP, cache)[1], real(paths[1], CROP))
    crops(paths, Crop(8), cache)
    assert len(list(cache.iterdir())) == 3


def test_order_is_kept_over_many_threads(tmp_path, photograph, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 3)
    paths = [photograph(tmp_path / f"{i:02}.png", seed=i) for i in range(10)]
    for i, crop in enumerate(crops(paths, CROP, tmp_path / "cache")):
        assert np.array_equal(crop, read(paths[i], CROP))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, UnreadableImage("bad")])
def test_an_interruption_leaves_no_half_cache(tmp_path, photograph, monkeypatch, error):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    paths = [photograph(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    real = read

    def interrupted(path: Path, crop: Crop):
        if path == paths[4]:
            raise error
        return real(path, crop)

    monkeypatch.setattr(module, "read", interrupted)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        crops(paths, CROP, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.undo()
    assert len(crops(paths, CROP, tmp_path / "cache")) == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_and_leaves_no_half_cache(tmp_path, photograph, monkeypatch):
    path = photograph(tmp_path / "0.png")
    real = os.fdopen

    def full(handle: int, mode: str):
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr(module.os, "fdopen", full)
    with pytest.raises(DataError, match=r"cannot be written to cache \(No space left on device\)"):
        crops([path], CROP, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_is_a_file_cannot_be_a_cache(tmp_path, photograph):
    path = photograph(tmp_path / "0.png")
    with pytest.raises(DataError, match="name another folder"):
        crops([path], CROP, path)


def test_a_damaged_cache_is_named(tmp_path, photograph):
    path = photograph(tmp_path / "0.png")
    crops([path], CROP, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    with pytest.raises(DataError, match=r"is damaged .* Delete it"):
        crops([path], CROP, tmp_path / "cache")


def test_one_bad_photograph_among_good_ones_is_named(tmp_path, photograph):
    paths = [photograph(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    paths[1].write_bytes(b"")
    with pytest.raises(UnreadableImage, match=r"^1\.png"):
        crops(paths, CROP)
