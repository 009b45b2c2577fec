"""Painted faces: the same for ever, of every size, recognisable, with labels that are true."""

from dataclasses import replace

import numpy as np
import pytest

from facecrafter.data.portrait import paint
from facecrafter.data.synthetic import synthetic, synthetic_splits
from facecrafter.data.traits import attributes, person, view
from facecrafter.errors import SettingError

# all 40, in the published order
CELEBA = [
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
]

# one change of a trait that turns each attribute over, for a plain person
PLAIN = {
    "skin": 0.4,
    "bald": False,
    "long_hair": False,
    "wavy": False,
    "bangs": False,
    "receding": False,
    "hair_colour": "Brown_Hair",
    "brow_thickness": 0.02,
    "brow_arch": 0.01,
    "eye_opening": 0.6,
    "nose_width": 0.07,
    "lip": 0.03,
    "lipstick": 0.0,
    "moustache": False,
    "goatee": False,
    "beard": False,
    "old": False,
    "rosy": False,
    "earrings": False,
}
TURNS = {
    "Arched_Eyebrows": {"brow_arch": 0.06},
    "Bald": {"bald": True},
    "Bangs": {"bangs": True},
    "Big_Lips": {"lip": 0.06},
    "Big_Nose": {"nose_width": 0.13},
    "Black_Hair": {"hair_colour": "Black_Hair"},
    "Blond_Hair": {"hair_colour": "Blond_Hair"},
    "Brown_Hair": {"hair_colour": "Black_Hair"},
    "Bushy_Eyebrows": {"brow_thickness": 0.05},
    "Eyeglasses": {"glasses": True},
    "Goatee": {"goatee": True},
    "Gray_Hair": {"hair_colour": "Gray_Hair"},
    "Mouth_Slightly_Open": {"mouth_open": 0.6},
    "Mustache": {"moustache": True},
    "Narrow_Eyes": {"eye_opening": 0.3},
    "No_Beard": {"beard": True},
    "Pale_Skin": {"skin": 0.05},
    "Receding_Hairline": {"receding": True},
    "Rosy_Cheeks": {"rosy": True},
    "Smiling": {"smile": 0.8},
    "Straight_Hair": {"wavy": True},
    "Wavy_Hair": {"wavy": True},
    "Wearing_Earrings": {"earrings": True},
    "Wearing_Lipstick": {"lipstick": 0.9},
    "Young": {"old": True},
}


def plain():
    """A person with no attribute that can be turned on, looking straight ahead in even light."""
    who = replace(person(0, 0), **PLAIN)
    seen = replace(
        view(0, 0, 0, who),
        glasses=False,
        smile=0.1,
        mouth_open=0.0,
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
        shift=(0.0, 0.0),
        strength=0.2,
        exposure=1.0,
        warmth=0.0,
    )
    return who, seen


def test_the_same_numbers_give_the_same_faces(painted):
    again = synthetic(7, people=2, photographs=3, size=32)
    for number in range(2):
        for photograph in range(3):
            one, other = number * 3 + photograph, number * 5 + photograph
            assert np.array_equal(again.pixels[one], painted.pixels[other])
            assert np.array_equal(again.attributes[one], painted.attributes[other])
    assert not np.array_equal(synthetic(8, 1, 1, 32).pixels[0], painted.pixels[0])


def test_what_is_known_of_each(painted):
    assert painted.identities.tolist() == [i for i in range(6) for _ in range(5)]
    assert len(painted.people) == 6
    assert len(set(painted.names)) == 30
    assert set(np.unique(painted.attributes)) == {0, 1}
    assert len(painted.attribute_names) >= 12
    assert set(painted.attribute_names) <= set(CELEBA)
    assert list(painted.attribute_names) == [n for n in CELEBA if n in painted.attribute_names]


@pytest.mark.parametrize("size", [16, 17, 32, 64, 112, 128])
def test_any_size_from_16(size):
    faces = synthetic(0, people=1, photographs=1, size=size)
    assert faces.pixels.shape == (1, 3, size, size)
    assert faces.pixels[0].std() > 20


def test_one_person_looks_alike_at_every_size():
    small, large = (synthetic(2, 1, 1, size).images()[0].numpy() for size in (32, 128))
    shrunk = large.reshape(3, 32, 4, 32, 4).mean(axis=(2, 4))
    assert np.abs(small - shrunk).mean() < 0.03


@pytest.mark.parametrize("wrong", [{"size": 15}, {"people": 0}, {"photographs": 0}, {"people": -3}])
def test_too_few_or_too_small_is_refused(wrong):
    with pytest.raises(SettingError):
        synthetic(0, **{"people": 1, "photographs": 1, **wrong})


@pytest.mark.parametrize("name", TURNS)
def test_an_attribute_is_painted(name):
    """Turning one trait turns its attribute over and changes the picture where one can see it."""
    who, seen = plain()
    turn = TURNS[name]
    on_person = {
        key: value for key, value in turn.items() if hasattr(who, key) and key != "glasses"
    }
    on_view = {key: value for key, value in turn.items() if key not in on_person}
    other, other_seen = replace(who, **on_person), replace(seen, **on_view)
    before, after = attributes(who, seen), attributes(other, other_seen)
    assert before[name] != after[name]
    change = np.abs(paint(who, seen, 64) - paint(other, other_seen, 64)).max(axis=2)
    assert (change > 20).sum() >= 12, "fewer than 12 of 4,096 pixels change by more than 20 of 255"


def test_all_attributes_have_such_a_test():
    assert list(TURNS) == list(attributes(*plain()))


@pytest.mark.parametrize("name", ["Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"])
def test_hair_has_its_colour(name):
    who, seen = plain()
    crown = paint(replace(who, hair_colour=name), seen, 64)[8:12, 28:36].mean(axis=(0, 1))
    red, green, blue = crown
    if name == "Gray_Hair":
        assert crown.max() - crown.min() < 25
        assert crown.mean() > 100
    elif name == "Black_Hair":
        assert crown.mean() < 60
    elif name == "Blond_Hair":
        assert red > 150
        assert red - blue > 60
    else:
        assert 60 < red < 150
        assert red > green > blue


def test_every_attribute_occurs_and_is_missing():
    rows = np.array(
        [
            list(attributes(who, view(0, number, k, who)).values())
            for number in range(80)
            for who in [person(0, number)]
            for k in range(3)
        ]
    )
    share = rows.mean(axis=0)
    assert (share > 0.04).all()
    assert (share < 0.96).all()


def test_one_hair_colour_at_most_and_beards_exclude_no_beard():
    for number in range(60):
        who = person(1, number)
        shown = attributes(who, view(1, number, 0, who))
        colours = [shown[name] for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")]
        assert sum(colours) == (not shown["Bald"])
        assert shown["No_Beard"] == (not (shown["Goatee"] or shown["Mustache"] or who.beard))
        assert not (shown["Wavy_Hair"] and shown["Straight_Hair"])
        assert not (shown["Bald"] and (shown["Bangs"] or shown["Wavy_Hair"]))


def test_traits_stay_and_expressions_change(painted):
    changing = {"Eyeglasses", "Smiling", "Mouth_Slightly_Open"}
    for name in set(painted.attribute_names) - changing:
        by_person = painted.attribute(name).reshape(6, 5)
        assert (by_person == by_person[:, :1]).all()
    assert len(np.unique(painted.attribute("Smiling"))) == 2


def test_people_can_be_told_apart():
    """The nearest mean face of the other photographs names the right one of 12 most of the time."""
    faces = synthetic(5, people=12, photographs=8, size=24)
    without_background = faces.images()[:, :, 4:20, 6:18]
    flat = without_background.flatten(1).numpy().reshape(12, 8, -1)
    means, tests = flat[:, :6].mean(axis=1), flat[:, 6:].reshape(24, -1)
    nearest = ((tests[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == np.repeat(np.arange(12), 2)).mean() > 0.5  # chance: 0.08


def test_no_two_photographs_are_the_same(painted):
    assert len({painted.pixels[i].tobytes() for i in range(len(painted))}) == len(painted)


def test_splits_hide_the_last_people_2_to_1():
    splits = synthetic_splits(0, people=5, photographs=6, size=16, private_people=2)
    assert set(splits.public.identities) == {0, 1, 2}
    assert np.bincount(splits.private_train.identities).tolist() == [0, 0, 0, 4, 4]
    assert np.bincount(splits.private_test.identities).tolist() == [0, 0, 0, 2, 2]


@pytest.mark.parametrize("private", [0, 5, 9])
def test_someone_is_public_and_someone_private(private):
    with pytest.raises(SettingError, match=f"private_people is {private} of 5"):
        synthetic_splits(0, people=5, photographs=3, size=16, private_people=private)
