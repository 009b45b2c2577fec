"""Faces and Splits: one row for each photograph, nobody on two sides, no more memory than asked."""

import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from facecrafter.data.duplicates import digests, shared
from facecrafter.data.faces import NO_IDENTITY, Faces, Splits, apart, joined, matched
from facecrafter.data.pixels import Pixels
from facecrafter.data.synthetic import synthetic
from facecrafter.errors import DataError, SettingError, SplitError


def test_images_are_rgb_from_0_to_1(faces):
    made = faces(4)
    images = made.images([2, 0])
    assert images.shape == (2, 3, 8, 8)
    assert images.dtype == torch.float32
    assert torch.equal(images[0], torch.from_numpy(made.pixels[2]).float() / 255)
    assert torch.equal(made.images(), made.images(slice(None)))
    assert torch.equal(made.images(range(2)), made.images(np.array([0, 1])))


def test_take_keeps_rows_together(faces):
    made = faces(6, emotions=tuple("abcdef"))
    some = made.take([4, 1]).take([1, 0, 1])
    assert some.names == ("0_1.jpg", "0_4.jpg", "0_1.jpg")
    assert some.emotions == ("b", "e", "b")
    assert some.identities.tolist() == [1, 4, 1]
    assert np.array_equal(some.pixels[:], made.pixels[[1, 4, 1]])
    assert np.array_equal(some.attributes, made.attributes[[1, 4, 1]])


def test_take_understands_masks_and_nothing(faces):
    made = faces(6)
    mask = np.array([True, False, False, True, False, False])
    assert made.take(mask).names == ("0_0.jpg", "0_3.jpg")
    assert len(made.take([])) == 0


@pytest.mark.parametrize("index", [3, -1, slice(1, 5, 2), [5, 0], range(2, 4), np.array([1, 1])])
def test_pixels_index_as_arrays_do(faces, index):
    whole = np.asarray(faces(6).pixels)
    view = Pixels(whole).take(np.array([5, 3, 1, 0, 2, 4]))
    assert np.array_equal(view[index], whole[[5, 3, 1, 0, 2, 4]][index])
    assert view.shape == whole.shape
    assert np.array_equal(np.asarray(view), whole[[5, 3, 1, 0, 2, 4]])


def test_what_is_read_is_a_copy(faces):
    made = faces(3)
    made.pixels[0][:] = 0
    made.images([0]).zero_()
    assert made.pixels[0].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": np.zeros((6, 8, 8), np.uint8)}, "faces are uint8"),
        ({"pixels": np.zeros((6, 1, 8, 8), np.uint8)}, "faces are uint8"),
        ({"identities": np.zeros(5, np.int64)}, "one row for each photograph"),
        ({"attributes": np.zeros((6, 1), np.float32)}, "one row for each photograph"),
        ({"names": ("a.jpg",)}, "1 names for 6 photographs"),
        ({"emotions": ("happy",)}, "1 emotions for 6"),
        ({"identities": np.arange(1, 7), "people": tuple("abcdef")}, "count from 0"),
        ({"identities": np.full(6, -2)}, "-1 stands for"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(faces, changes, message):
    with pytest.raises(DataError, match=message):
        faces(6, **changes)


def test_attributes_are_looked_up_by_name(faces):
    made = faces(5)
    assert np.array_equal(made.attribute("Bald"), made.attributes[:, 1])
    assert made.only(["Bald"]).attribute_names == ("Bald",)
    assert np.array_equal(
        made.only(["Bald", "Smiling"]).attribute("Smiling"), made.attributes[:, 0]
    )


def test_an_unknown_attribute_is_named_with_those_there_are(faces):
    with pytest.raises(SettingError, match=r"'bald'.*Smiling, Bald"):
        faces(5).attribute("bald")
    with pytest.raises(SettingError, match=r"Beard.*none"):
        faces(5).only([]).only(["Beard"])


def test_known_leaves_out_rows_without_labels(faces):
    attributes = np.array([[0, 1], [np.nan, np.nan], [1, 0]], np.float32)
    assert faces(3, attributes=attributes).known().tolist() == [0, 2]


def test_statistics_equal_those_of_the_array(faces):
    made = faces(50)
    mean, deviation = made.statistics()
    values = np.asarray(made.pixels) / 255
    assert np.allclose(mean, values.mean(axis=(0, 2, 3)))
    assert np.allclose(deviation, values.std(axis=(0, 2, 3)))


def test_matched_has_the_other_ones_statistics(faces):
    rng = np.random.default_rng(3)
    dim = faces(200, seed=1, pixels=rng.integers(40, 120, (200, 3, 8, 8), dtype=np.uint8))
    goal = faces(200, seed=2, pixels=rng.integers(80, 200, (200, 3, 8, 8), dtype=np.uint8))
    out = matched(dim, goal)
    for found, wanted in zip(out.statistics(), goal.statistics(), strict=True):
        assert np.allclose(found, wanted, atol=0.005)
    assert out.names == dim.names
    # the formula (x - mean) / deviation * goal deviation + goal mean, applied to all at once
    (mean, deviation), (goal_mean, goal_deviation) = dim.statistics(), goal.statistics()
    shape = (1, 3, 1, 1)
    values = (np.asarray(dim.pixels) / 255.0 - mean.reshape(shape)) * (
        goal_deviation / deviation
    ).reshape(shape) + goal_mean.reshape(shape)
    assert np.array_equal(out.pixels[:], np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))


def test_matched_twice_and_taken_reads_the_same(faces):
    one, two, three = faces(30, seed=1), faces(30, seed=2, size=16), faces(30, seed=3)
    once = matched(one, two)
    by_hand = faces(30, seed=1, pixels=np.asarray(once.pixels))
    assert np.array_equal(matched(once, three).pixels[:], matched(by_hand, three).pixels[:])
    assert np.array_equal(once.take([7, 2]).pixels[:], once.pixels[[7, 2]])


def test_one_colour_cannot_be_matched(faces):
    flat = faces(1, pixels=np.full((1, 3, 8, 8), 9, np.uint8))
    with pytest.raises(DataError, match="more than one photograph"):
        matched(flat, faces(5))


def test_nobody_is_public_and_private(faces):
    with pytest.raises(SplitError, match=r"1 people are both public and private, for one '100'"):
        Splits(faces(2, seed=1), faces(2, seed=2), faces(2, seed=3, identities=np.array([100, 7])))


def test_people_with_names_are_compared_by_name(faces):
    public = faces(2, seed=1, identities=np.array([0, 1]), people=("Ann", "Bob"))
    private = faces(2, seed=2, identities=np.array([0, 0]), people=("Bob",))
    with pytest.raises(SplitError, match="'Bob'"):
        Splits(public, private, faces(2, seed=3))


def test_unknown_people_are_no_overlap(faces):
    unknown = np.full(2, NO_IDENTITY)
    splits = Splits(*(faces(2, seed=i, identities=unknown) for i in range(3)))
    assert splits.normalised().names == splits.public.names


def test_a_share_of_each_persons_train_photographs_is_exposed(faces):
    people = np.array([200, 300, 200, 300, 200, 300, 200, 200, 200, 200, 200, 200])
    train = faces(12, seed=2, identities=people)
    splits = Splits(faces(2, seed=1), train, faces(2, seed=3, identities=people[:2]))
    tenth, whole = splits.exposed(0.1), splits.exposed(1)
    assert sorted(tenth.identities) == [200, 300]  # rounded up: nobody is spared
    assert tenth.names == splits.exposed(0.1).names
    assert whole.names == train.names
    assert set(tenth.names) < set(splits.exposed(0.5).names)
    for share in (0, -0.1, 1.1, float("nan")):
        with pytest.raises(SettingError, match="share="):
            splits.exposed(share)


def test_joined_has_all_pixels_and_nobodys_name(faces):
    first, second = faces(3, seed=1), faces(2, seed=2)
    both = joined(first, second)
    assert torch.equal(both.images(), torch.cat([first.images(), second.images()]))
    assert np.array_equal(both.attributes[3:], second.attributes)
    assert set(both.identities) == {NO_IDENTITY}
    assert not both.names
    coloured = matched(first, second)
    assert torch.equal(joined(coloured, second).images(range(3)), coloured.images())


def test_joined_refuses_what_does_not_fit(faces):
    with pytest.raises(DataError, match="64 with"):
        joined(faces(2), synthetic(0, people=1, photographs=2, size=64))


@pytest.mark.parametrize("sides", [(0, 1), (0, 2), (1, 2)])
def test_no_photograph_stands_on_two_sides(faces, sides):
    parts = [faces(4, seed=i + 1) for i in range(3)]
    first, second = sides
    copied = np.asarray(parts[second].pixels).copy()
    copied[3] = parts[first].pixels[1]
    parts[second] = faces(4, seed=second + 1, pixels=copied)
    with pytest.raises(SplitError, match=rf"{first + 1}_1\.jpg and {second + 1}_3\.jpg"):
        Splits(*parts)


def test_apart_leaves_such_photographs_out_and_says_so(faces, caplog):
    public, train, test = (faces(4, seed=i + 1) for i in range(3))
    both = np.asarray(public.pixels).copy()
    both[0], both[1] = train.pixels[2], test.pixels[0]
    twice = np.asarray(train.pixels).copy()
    twice[3] = test.pixels[1]
    with caplog.at_level(logging.WARNING):
        splits = apart(faces(4, seed=1, pixels=both), faces(4, seed=2, pixels=twice), test)
    assert splits.public.names == ("1_2.jpg", "1_3.jpg")
    assert splits.private_train.names == ("2_0.jpg", "2_1.jpg", "2_2.jpg")
    assert len(splits.private_test) == 4
    assert "left out 3 photographs" in caplog.text


def test_equal_digests_of_other_pixels_are_no_duplicates(faces, monkeypatch):
    one, other = (Pixels.of(faces(3, seed=i).pixels) for i in (1, 2))
    monkeypatch.setattr(
        "facecrafter.data.duplicates.digests", lambda side: np.arange(len(side), dtype=np.uint64)
    )
    assert shared(one, other) == []
    assert shared(one, one) == [((0, i), (1, i)) for i in range(3)]


def test_sides_of_other_sizes_share_no_photograph(faces):
    one, other = (Pixels.of(faces(3, seed=1, size=size).pixels) for size in (8, 16))
    assert shared(one, other) == []


@pytest.fixture
def mapped(tmp_path: Path, faces) -> Faces:
    """3,000 crops of 64 pixels, 37 MB, in a memory map."""
    path, count = tmp_path / "crops.npy", 3000
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, 3, 64, 64))
    file[:] = np.random.default_rng(0).integers(0, 256, (count, 1, 1, 64), dtype=np.uint8)
    file.flush()
    return faces(count, pixels=np.load(path, mmap_mode="r"))


def test_a_memory_map_stays_on_the_disk(mapped):
    """Splitting, hashing, matching and a pass over all batches hold a few megabytes."""
    tracemalloc.start()  # sees what numpy allocates, not what is mapped
    splits = Splits(
        mapped.take(np.arange(0, 2000)),
        mapped.take(np.arange(2000, 2600)),
        mapped.take(np.arange(2600, 3000)),
    )
    public = splits.normalised()
    for start in range(0, len(public), 64):
        public.images(np.arange(start, min(start + 64, len(public))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole = mapped.pixels.source.nbytes
    assert whole > 36e6
    # a piece in hand, its bins as 64-bit numbers, a batch as float32, the labels of each side
    assert peak < 0.25 * whole
    assert public.take([0]).pixels.source is mapped.pixels.source


def test_taking_holds_no_pixels_at_all(mapped):
    tracemalloc.start()
    mapped.take(np.arange(2999, -1, -1)).take(np.arange(1500)).images([3, 1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_digests_depend_on_every_pixel(faces):
    crop = np.asarray(faces(1).pixels)
    other = crop.copy()
    other[0, 2, 7, 7] ^= 1
    assert digests(Pixels(crop)) != digests(Pixels(other))
