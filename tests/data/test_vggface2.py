"""VGGFace2: a tiny one in the published layout."""

from pathlib import Path

import numpy as np
import pytest

from facecrafter.data.vggface2 import HAIR, vggface2
from facecrafter.errors import DataError, SettingError, SplitError

META = """Class_ID, Name, Sample_Num, Flag, Gender
n000001, "One_Person",6,0, m,
n000002, "Two,_Esq.",4,1, f
n000003, "Three_Person",4,1, f,
n000009, "Nine_Person",3,0, m,
n008888, "Not_Here",3,0, m,
"""


@pytest.fixture
def small(tmp_path, photograph) -> Path:
    counts = {"train/n000002": 4, "train/n000003": 4, "test/n000001": 6, "test/n000009": 3}
    for seed, (place, count) in enumerate(counts.items()):
        for i in range(count):
            path = tmp_path / place / f"{i + 1:04}_01.jpg"
            photograph(path, seed=100 * seed + i, size=(40 + 8 * i, 64))
    (tmp_path / "identity_meta.csv").write_text(META)
    return tmp_path


def test_the_test_folder_is_private_2_to_1(small):
    splits = vggface2(small, 16)
    assert splits.public.people == ("n000002", "n000003", "n000001", "n000009")
    assert splits.public.identities.tolist() == [0] * 4 + [1] * 4
    assert np.bincount(splits.private_train.identities).tolist() == [0, 0, 4, 2]
    assert np.bincount(splits.private_test.identities).tolist() == [0, 0, 2, 1]
    assert splits.public.attributes.shape == (8, 0)
    assert splits.public.size == 16
    assert splits.public.names[0] == "n000002/0001_01.jpg"


def test_the_papers_size_is_the_default(small):
    assert vggface2(small).public.size == 112


def test_at_most_so_many_of_each(small):
    splits = vggface2(small, 16, most=3)
    assert len(splits.public) == 6
    assert len(splits.private_train) == 4
    with pytest.raises(SettingError, match="most is 1"):
        vggface2(small, 16, most=1)


def test_the_meta_file_is_not_needed(small):
    (small / "identity_meta.csv").unlink()
    assert len(vggface2(small, 16).public) == 8


def test_a_person_in_the_other_folder_is_refused(small):
    (small / "train" / "n000002").rename(small / "test" / "n000002")
    with pytest.raises(DataError, match=r"n000002 is in test, .* has Flag '1'"):
        vggface2(small, 16)


def test_a_person_in_both_folders_is_refused(small, photograph):
    photograph(small / "test" / "n000003" / "0009_01.jpg", seed=999)
    with pytest.raises(DataError, match="n000003 is in train and in test"):
        vggface2(small, 16)


def test_one_photograph_cannot_be_divided(small, photograph):
    photograph(small / "test" / "n000010" / "0001_01.jpg", seed=999)
    with pytest.raises(SplitError, match="has 1 photographs: divided 2 to 1"):
        vggface2(small, 16)


def test_hair_colour_is_one_of_five(small):
    rows = ["image,hair_colour"]
    rows += [f"n000002/{i + 1:04}_01.jpg,{HAIR[i]}" for i in range(4)]
    (small / "hair_colour.csv").write_text("\n".join(rows))
    public = vggface2(small, 16).public
    assert public.attribute_names == HAIR
    assert np.array_equal(public.attributes[:4], np.eye(5, dtype=np.float32)[:4])
    assert public.known().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,colour\nn000002/0001_01.jpg,Bald\n", "not image and hair_colour"),
        ("image,hair_colour\nn000002/0001_01.jpg,green\n", "'green' .* Use one of"),
        ("image,hair_colour\nn000002/0001_01.jpg\n", "0 values"),
        ("", "begins with"),
    ],
)
def test_bad_hair_colours_are_refused(small, text, message):
    (small / "hair_colour.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        vggface2(small, 16)


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_missing_side_is_named(small, side):
    (small / side).rename(small / "elsewhere")
    with pytest.raises(DataError, match=f"no photograph at .*/{side}/nNNNNNN"):
        vggface2(small, 16)
