"""CelebA: a tiny one in the published layout."""

import logging
from pathlib import Path

import numpy as np
import pytest

from facecrafter.data import celeba as module
from facecrafter.data.celeba import celeba
from facecrafter.errors import DataError, SettingError, UnreadableImage

# person (from 1, as published) of each photograph: 11 and 30 have ten, 7 has five, 2 has one
WHO = [11, 30] * 10 + [7] * 5 + [2]


def written(root: Path, photograph, who=WHO, images: str = "img_align_celeba") -> Path:
    for i in range(len(who)):
        photograph(root / images / f"{i + 1:06}.jpg", seed=i, size=(178, 218))
    rows = [f"{i + 1:06}.jpg {person}" for i, person in enumerate(who)]
    (root / "identity_CelebA.txt").write_text("\n".join(rows) + "\n")
    labels = [f"{i + 1:06}.jpg {1 if i % 2 else -1:2d} -1" for i in range(len(who))]
    lines = [str(len(who)), "Smiling Bald ", *labels]
    (root / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def small(tmp_path, photograph) -> Path:
    return written(tmp_path, photograph)


def test_private_people_are_divided_4_to_1(small):
    splits = celeba(small, 16, private_people=2)
    assert len(splits.private_train) + len(splits.private_test) + len(splits.public) == 26
    private = np.unique(splits.private_train.identities)
    assert len(private) == 2
    assert np.array_equal(private, np.unique(splits.private_test.identities))
    for person in private:
        train = (splits.private_train.identities == person).sum()
        assert train == 4 * (splits.private_test.identities == person).sum()
    assert splits.public.size == 16


def test_identities_count_from_0_here_and_keep_celebas_names(small):
    splits = celeba(small, 16, private_people=1)
    for faces in (splits.public, splits.private_train, splits.private_test):
        for name, identity in zip(faces.names, faces.identities, strict=True):
            published = WHO[int(name[:6]) - 1]
            assert identity == published - 1
            assert faces.people[identity] == str(published)


def test_attributes_are_0_or_1(small):
    public = celeba(small, 16, private_people=1).public
    assert public.attribute_names == ("Smiling", "Bald")
    expected = [float((int(name[:6]) - 1) % 2) for name in public.names]
    assert public.attribute("Smiling").tolist() == expected
    assert not public.attribute("Bald").any()


def test_who_is_private_is_the_same_every_time(small, tmp_path):
    one = celeba(small, 16, private_people=2)
    two = celeba(small, 16, tmp_path / "cache", private_people=2)
    assert one.private_test.names == two.private_test.names
    assert isinstance(two.public.pixels.source, np.memmap)


def test_a_person_with_few_photographs_is_never_private(small):
    assert 1 in celeba(small, 16, private_people=3).public.identities


@pytest.mark.parametrize("count", [0, 4, 1000])
def test_so_many_private_people_there_are_not(small, count):
    with pytest.raises(SettingError, match=f"private_people is {count}; 3 of 4 people"):
        celeba(small, 16, private_people=count)


def test_the_published_folders_are_found(tmp_path, photograph):
    root = written(tmp_path, photograph, images="Img/img_align_celeba")
    (root / "Anno").mkdir()
    for name in ("identity_CelebA.txt", "list_attr_celeba.txt"):
        (root / name).rename(root / "Anno" / name)
    assert len(celeba(root, 16, private_people=1).private_test) in (1, 2)


def test_a_part_of_celeba_will_do(small):
    (small / "img_align_celeba" / "000026.jpg").unlink()
    assert len(celeba(small, 16, private_people=1).public.names) < 25


def test_the_same_photograph_twice_stays_on_one_side(small, caplog):
    """Published sets hold some; here person 2's is also person 7's and 11's and 30's."""
    one = (small / "img_align_celeba" / "000026.jpg").read_bytes()
    for number in (1, 2, 21):
        (small / "img_align_celeba" / f"{number:06}.jpg").write_bytes(one)
    with caplog.at_level(logging.WARNING):
        splits = celeba(small, 16, private_people=2)
    assert "stand on two sides" in caplog.text
    assert len(splits.private_train) + len(splits.private_test) + len(splits.public) < 26


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("000003.jpg 0", "'0' as the person on '000003.jpg': people are numbered from 1"),
        ("000003.jpg -4", "'-4' as the person"),
        ("000003.jpg x", "'x' as the person"),
        ("000003.jpg nan", "'nan' as the person"),
        ("000003.jpg 1.5", r"'1\.5' as the person"),
        ("000003.jpg", "0 values for '000003.jpg' and 1 columns"),
        ("000003.jpg 1 2", "2 values for '000003.jpg'"),
        ("", "no row for 1 photographs, for one '000003.jpg'"),
        ("000004.jpg 1", "names '000004.jpg' twice"),
    ],
)
def test_bad_identities_are_refused(small, line, message):
    path = small / "identity_CelebA.txt"
    path.write_text(path.read_text().replace("000003.jpg 11", line))
    with pytest.raises(DataError, match=message):
        celeba(small, 16, private_people=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("26\n", "25\n"), "begins with '25' and has 26 rows"),
        (("26\n", ""), "begins with 'Smiling Bald'"),
        (("Smiling Bald", "Smiling"), "2 values for '000001.jpg' and 1 columns"),
        (("000001.jpg -1 -1", "000001.jpg -1 2"), "'2' as Bald of '000001.jpg'.*-1, 0 or 1"),
        (("000001.jpg -1 -1", "000001.jpg -1 nan"), "'nan' as Bald of '000001.jpg'"),
        (("Smiling Bald", "Smiling Smiling"), "a name of its own"),
    ],
)
def test_bad_attributes_are_refused(small, change, message):
    path = small / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(DataError, match=message):
        celeba(small, 16, private_people=1)


@pytest.mark.parametrize("name", ["identity_CelebA.txt", "list_attr_celeba.txt"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_or_empty_file_is_named(small, name, empty):
    (small / name).unlink()
    if empty:
        (small / name).write_text("")
    with pytest.raises(DataError, match=name):
        celeba(small, 16, private_people=1)


def test_a_folder_without_photographs_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Unpack img_align_celeba\.zip"):
        celeba(tmp_path)


def test_a_text_named_jpg_is_named(small):
    (small / "img_align_celeba" / "000005.jpg").write_text("hello")
    with pytest.raises(UnreadableImage, match=r"000005\.jpg"):
        celeba(small, 16, private_people=1)


def test_other_content_than_published_is_said(small, monkeypatch, caplog):
    monkeypatch.setitem(module.PUBLISHED, "identity_CelebA.txt", (26, "0" * 32))
    celeba(small, 16, private_people=1)
    assert "identity_CelebA.txt differs from the published file" in caplog.text
