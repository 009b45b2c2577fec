"""LFW: a tiny one written here, and the counts of the real one where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecrafter.data import lfw as module
from facecrafter.data.crops import Crop, read
from facecrafter.data.lfw import divide, identify, lfw, photographs
from facecrafter.errors import DataError, UnreadableImage

BESIDE = Path(__file__).parents[3] / "shared/data/lfw"
REAL = Path(os.environ.get("FACECRAFTER_LFW", BESIDE))
PEOPLE = {"Ann_Lee": 22, "Bo_Ek": 3, "Cy_Orr": 1, "Di_Fox": 20}


@pytest.fixture(scope="module")
def small(tmp_path_factory, painted) -> Path:
    """Painted faces, 250 x 250, of four people: two have 20 photographs or more."""
    root = tmp_path_factory.mktemp("lfw")
    rng = np.random.default_rng(0)
    for person, count in PEOPLE.items():
        folder = root / "lfw-deepfunneled" / person
        folder.mkdir(parents=True)
        for i in range(count):
            face = painted.pixels[int(rng.integers(len(painted)))].transpose(1, 2, 0)
            noisy = np.clip(face + rng.normal(0, 9, face.shape), 0, 255).astype(np.uint8)
            path = folder / f"{person}_{i + 1:04}.jpg"
            Image.fromarray(noisy).resize((250, 250)).save(path, quality=60)
    return root


def table(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text)


@pytest.fixture
def tables(small):
    """Write a table beside the photographs for one test."""
    written: list[Path] = []

    def write(name: str, text: str) -> None:
        (small / name).write_text(text)
        written.append(small / name)

    yield write
    for path in written:
        path.unlink(missing_ok=True)


def test_people_with_20_photographs_are_private_2_to_1(small):
    splits = lfw(small, 16)
    assert len(splits.public) == 4
    assert (len(splits.private_train), len(splits.private_test)) == (14 + 13, 8 + 7)
    assert splits.public.people == tuple(PEOPLE)
    assert set(splits.public.identities) == {1, 2}
    assert set(splits.private_train.identities) == {0, 3}
    assert set(splits.private_test.identities) == {0, 3}
    assert not set(splits.private_train.names) & set(splits.private_test.names)
    assert splits.public.attributes.shape == (4, 0)
    assert splits.public.size == 16


def test_the_division_is_the_same_every_time(small, tmp_path):
    one, two = lfw(small, 16), lfw(small, 16, tmp_path / "cache")
    assert one.private_test.names == two.private_test.names
    assert np.array_equal(one.private_test.pixels[:], two.private_test.pixels[:])
    assert isinstance(two.public.pixels.source, np.memmap)


def test_names_and_pixels_belong_together(small):
    splits = lfw(small, 16)
    for faces in (splits.public, splits.private_train):
        name = faces.names[2]
        path = small / "lfw-deepfunneled" / name[: -len("_0001.jpg")] / name
        assert np.array_equal(faces.pixels[2], read(path, Crop(16, module.SIDE)))
        assert faces.people[faces.identities[2]] == path.parent.name


def test_tables_are_read_by_name(small, tables):
    tables("attributes.csv", "image,Smiling,Bald\nBo_Ek_0002.jpg,0.25,1\nCy_Orr_0001.jpg,1,0\n")
    tables("emotions.csv", "image,emotion\nBo_Ek_0001.jpg,happiness\n")
    public = lfw(small, 16).public
    assert public.attribute_names == ("Smiling", "Bald")
    assert public.known().tolist() == [1, 3]
    assert public.attributes[1].tolist() == [0.25, 1]
    assert np.isnan(public.attributes[0]).all()
    assert public.emotions == ("happiness", "", "", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "attributes.csv begins with ''"),
        ("\n\n", "attributes.csv begins with ''"),
        ("Smiling,Bald\n", "first line names the columns"),
        ("image,Smiling\nBo_Ek_0001.jpg,1,0\n", "2 values for 'Bo_Ek_0001.jpg' and 1 columns"),
        ("image,Smiling,Bald\nBo_Ek_0001.jpg,1\n", "1 values for 'Bo_Ek_0001.jpg' and 2 columns"),
        ("image,Smiling,Smiling\nBo_Ek_0001.jpg,1,1\n", "a name of its own"),
        ("image,Smiling,\nBo_Ek_0001.jpg,1,1\n", "a name of its own"),
        ("image,Smiling\nBo_Ek_0001.jpg,nan\n", "'nan' as Smiling of 'Bo_Ek_0001.jpg'"),
        ("image,Smiling\nBo_Ek_0001.jpg,\n", "'' as Smiling of 'Bo_Ek_0001.jpg'"),
        ("image,Smiling\nBo_Ek_0001.jpg,often\n", "'often' as Smiling .* number from 0 to 1"),
        ("image,Smiling\nBo_Ek_0001.jpg,-1\n", "'-1' as Smiling .* number from 0 to 1"),
        ("image,Smiling\nBo_Ek_0001.jpg,inf\n", "'inf' as Smiling"),
        ("image,Smiling\nBo_Ek_0001,1\n", "no row for any of 46 photographs"),
        ("image,Smiling\nBo_Ek_0001.jpg,1\nBo_Ek_0001.jpg,0\n", "'Bo_Ek_0001.jpg' twice"),
    ],
)
def test_a_bad_table_is_refused(small, tables, text, message):
    tables("attributes.csv", text)
    with pytest.raises(DataError, match=message):
        lfw(small, 16)


def test_a_table_that_is_no_text_is_refused(small, tables):
    tables("attributes.csv", "")
    (small / "attributes.csv").write_bytes(b"\xff\xfe\x00\xd8" * 30)
    with pytest.raises(DataError, match="Save it as UTF-8"):
        lfw(small, 16)


def test_emotions_have_two_columns(small, tables):
    tables("emotions.csv", "image,emotion,mood\nBo_Ek_0001.jpg,fear,low\n")
    with pytest.raises(DataError, match="not image and emotion alone"):
        lfw(small, 16)


def test_a_byte_order_mark_is_no_part_of_a_name(small, tables):
    tables("attributes.csv", "\ufeffimage,Smiling\nBo_Ek_0001.jpg,1\n")
    assert lfw(small, 16).public.attribute_names == ("Smiling",)


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_photographs_is_named(tmp_path, made):
    if made:
        (tmp_path / "lfw-deepfunneled" / "Ann_Lee").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no photograph at .*lfw-deepfunneled/NAME/NAME_NNNN.jpg"):
        lfw(tmp_path)


def test_a_damaged_photograph_is_named(small, tmp_path):
    folder = tmp_path / "lfw-deepfunneled" / "Ed_Om"
    folder.mkdir(parents=True)
    (folder / "Ed_Om_0001.jpg").write_bytes(b"no photograph")
    with pytest.raises(UnreadableImage, match=r"Ed_Om_0001\.jpg"):
        lfw(tmp_path)


@pytest.mark.real_faces
@pytest.mark.skipif(not REAL.exists(), reason="LFW is not there: set FACECRAFTER_LFW to its folder")
class TestReal:
    """Without decoding: the division depends on the files' names alone."""

    def test_counts_are_the_papers(self):
        people, identities = identify(photographs(REAL))
        public, train, test = divide(identities)
        assert (len(public), len(train), len(test)) == (10_210, 1_996, 1_027)
        assert len(people) == 5_749
        assert len(np.unique(identities[train])) == 62
        assert np.array_equal(np.unique(identities[train]), np.unique(identities[test]))
        assert not np.isin(identities[public], identities[train]).any()
        assert not np.isin(train, test).any()

    def test_labels_cover_most_photographs(self):
        names = [path.name for path in photographs(REAL)]
        columns, values = module._attributes(REAL / "attributes.csv", names)
        assert len(columns) == 40
        assert np.isfinite(values).all(axis=1).sum() == 12_949
        assert sum(map(bool, module._emotions(REAL / "emotions.csv", names))) == 12_758

    def test_some_can_be_read(self):
        for path in photographs(REAL)[::4000]:
            crop = read(path, Crop(64, module.SIDE))
            assert crop.shape == (3, 64, 64)
            assert crop.std() > 10
