"""The authors' layout: written by us, read back, and refused where it is not theirs."""

import numpy as np
import pytest

from facecrafter.data.authors import authors, write_authors
from facecrafter.data.faces import Splits
from facecrafter.data.synthetic import synthetic_splits
from facecrafter.errors import DataError, SplitError, UnreadableImage


@pytest.fixture(scope="module")
def splits() -> Splits:
    return synthetic_splits(1, people=4, photographs=3, size=16, private_people=2)


@pytest.fixture
def root(tmp_path, splits):
    write_authors(splits, tmp_path)
    return tmp_path


def changed(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_is_written_reads_back(root, splits):
    read = authors(root, 16)
    for ours, theirs in (
        (splits.public, read.public),
        (splits.private_train, read.private_train),
        (splits.private_test, read.private_test),
    ):
        assert np.array_equal(ours.pixels[:], theirs.pixels[:])
        assert np.array_equal(ours.attributes, theirs.attributes)
        assert ours.attribute_names == theirs.attribute_names


def test_people_count_from_1_in_the_files_and_from_0_here(root, splits):
    read = authors(root, 16)
    assert np.unique(read.private_train.identities).tolist() == [0, 1]
    assert np.unique(read.public.identities).tolist() == [2, 3]
    same = splits.private_test.identities - splits.private_test.identities.min()
    assert np.array_equal(read.private_test.identities, same)
    lines = (root / "pvt_id.csv").read_text().splitlines()
    assert lines[0] == "image,id"
    assert {line.split(",")[1] for line in lines[1:]} == {"1", "2"}
    assert (root / "eval_test.csv").read_text().splitlines()[1].endswith(",1")


@pytest.mark.parametrize("word", ["0", "-1", "1.0", "nan", "", "Ann"])
def test_a_person_number_below_1_is_refused(root, word):
    changed(root / "pvt_id.csv", "000001.png,1", f"000001.png,{word}")
    with pytest.raises(DataError, match=r"people are numbered from 1.*Add 1 where"):
        authors(root, 16)


def test_signed_attributes_are_read_too(root, splits):
    for name in ("pub_attri.csv", "pvt_attri.csv"):
        changed(root / name, ",0", ",-1")
    assert np.array_equal(authors(root, 16).public.attributes, splits.public.attributes)


def test_attributes_may_be_absent_and_rows_too(root):
    lines = (root / "pub_attri.csv").read_text().splitlines()
    (root / "pub_attri.csv").write_text("\n".join(lines[:-1]))
    assert authors(root, 16).public.known().tolist() == list(range(5))
    for name in ("pub_attri.csv", "pvt_attri.csv"):
        (root / name).unlink()
    assert authors(root, 16).public.attribute_names == ()


def test_unknown_columns_are_refused(root):
    text = (root / "pub_id.csv").read_text().splitlines()
    (root / "pub_id.csv").write_text("\n".join(f"{line},x" for line in text))
    with pytest.raises(DataError, match=r"pub_id\.csv has columns \('id', 'x'\)"):
        authors(root, 16)


def test_both_sides_have_the_same_attributes(root):
    changed(root / "pub_attri.csv", "Bald", "Bold")
    with pytest.raises(DataError, match=r"\['Bald', 'Bold'\]"):
        authors(root, 16)


@pytest.mark.parametrize("name", ["pub_id.csv", "pvt_id.csv", "eval_train.csv", "eval_test.csv"])
def test_a_missing_file_is_named(root, name):
    (root / name).unlink()
    with pytest.raises(DataError, match=f"there is no {name}"):
        authors(root, 16)


def test_a_missing_photograph_is_named(root):
    (root / "private" / "000002.png").unlink()
    with pytest.raises(DataError, match=r"'000002\.png' is listed and not in private"):
        authors(root, 16)


def test_a_name_may_not_lead_out_of_the_folder(root):
    for name in ("pvt_id.csv", "eval_train.csv"):
        changed(root / name, "000001.png", "../public/000001.png")
    with pytest.raises(DataError, match="is listed and not in private"):
        authors(root, 16)


def test_train_and_test_divide_the_private_people(root):
    changed(root / "eval_test.csv", "000005.png", "000001.png")
    with pytest.raises(SplitError, match=r"in eval_train\.csv and in eval_test\.csv"):
        authors(root, 16)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("000001.png,2", "'000001.png' is person 1 in pvt_id.csv and 2 in eval_train"),
        ("000009.png,1", "'000001.png' is person 1 in pvt_id.csv and missing"),
    ],
)
def test_the_division_agrees_with_the_list(root, new, message):
    changed(root / "eval_train.csv", "000001.png,1", new)
    with pytest.raises(SplitError, match=message):
        authors(root, 16)


def test_a_person_on_both_sides_is_refused(root):
    changed(root / "pub_id.csv", "000001.png,3", "000001.png,2")
    with pytest.raises(SplitError, match="both public and private"):
        authors(root, 16)


def test_a_photograph_on_both_sides_is_refused(root):
    (root / "public" / "000001.png").write_bytes((root / "private" / "000001.png").read_bytes())
    with pytest.raises(SplitError, match="the same pixels"):
        authors(root, 16)


def test_a_damaged_photograph_is_named(root):
    (root / "public" / "000003.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UnreadableImage, match=r"000003\.png"):
        authors(root, 16)


def test_people_who_are_not_known_get_numbers_of_their_own(tmp_path, faces):
    unknown = faces(3, seed=1, identities=np.array([-1, 5, -1]))
    one = np.zeros(2, np.int64)
    splits = Splits(unknown, faces(2, seed=2, identities=one), faces(2, seed=3, identities=one))
    write_authors(splits, tmp_path)
    read = authors(tmp_path, 8)
    assert len(np.unique(read.public.identities)) == 3
    assert read.private_train.identities.tolist() == [0, 0]
