"""Who a synthetic person is and how a photograph of them comes out: numbers to draw from.

A person's traits are drawn once and are their identity. Everything that changes between two
photographs of one person stands in `View`. Attributes follow from what is drawn, and traits keep
away from the border between yes and no, so that no label is a matter of taste.
All ranges are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Generator

from facecrafter.randomness import stream

Colour = tuple[float, float, float]  # RGB, 0 to 255
Choice = TypeVar("Choice")

# from pale to dark
SKIN: tuple[Colour, ...] = (
    (250, 224, 208),
    (236, 196, 170),
    (214, 165, 130),
    (176, 122, 86),
    (134, 88, 60),
    (92, 60, 44),
)
HAIR: dict[str, Colour] = {
    "Black_Hair": (28, 24, 26),
    "Brown_Hair": (104, 66, 40),
    "Blond_Hair": (216, 178, 106),
    "Gray_Hair": (168, 168, 172),
}
EYES: tuple[Colour, ...] = (
    (62, 40, 26),
    (96, 66, 36),
    (74, 104, 62),
    (70, 112, 154),
    (96, 104, 112),
)
CLOTHES: tuple[Colour, ...] = (
    (40, 48, 72),
    (120, 40, 44),
    (58, 92, 70),
    (200, 196, 188),
    (52, 52, 54),
    (150, 128, 92),
    (92, 76, 130),
)
FRAMES: tuple[Colour, ...] = ((24, 22, 24), (92, 56, 34), (120, 120, 126), (112, 32, 40))


@dataclass(frozen=True)
class Person:
    """What stays the same in all photographs; lengths in half frames (the frame is 2 wide)."""

    skin: float  # 0 = pale, 1 = dark
    head_width: float
    head_height: float
    jaw: float  # exponent of the lower outline: small = square, large = pointed
    ears: float
    hair_colour: str  # key of HAIR
    hair_shade: float  # -1 to 1, darker to lighter
    bald: bool
    long_hair: bool
    wavy: bool
    bangs: bool
    receding: bool
    hair_volume: float
    parting: float  # -1 to 1, left to right
    brow_thickness: float
    brow_arch: float
    brow_tilt: float
    brow_height: float
    eye_colour: int  # number in EYES
    eye_spacing: float
    eye_size: float
    eye_opening: float  # height over width
    eye_slant: float
    eye_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    lip: float  # thickness
    lipstick: float  # 0 = none
    moustache: bool
    goatee: bool
    beard: bool
    old: bool
    rosy: bool
    earrings: bool
    glasses: bool  # wears them as a rule
    glasses_round: float  # 0 = square, 1 = round
    glasses_colour: int  # number in FRAMES


@dataclass(frozen=True)
class View:
    """What changes from one photograph to the next."""

    shift: tuple[float, float]  # half frames
    zoom: float
    roll: float  # radians, head leaning to one side
    yaw: float  # radians, head turned to one side
    pitch: float  # radians, head nodding
    light: tuple[float, float]  # direction from which it comes: right, down
    strength: float  # of the light, 0 to 1
    exposure: float  # 1 = as painted
    warmth: float  # -1 to 1, blue to yellow
    smile: float  # 0 to 1
    mouth_open: float  # 0 to 1
    gaze: float  # -1 to 1
    squint: float  # 0 to 1
    glasses: bool
    clothes: int  # number in CLOTHES
    background: tuple[Colour, Colour, Colour, Colour]  # at the corners
    noise: float  # standard deviation, 0 to 255


class _Draws:
    """Numbers from one stream, in the order in which they are asked for."""

    def __init__(self, rng: Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.rng))

    def chance(self, probability: float) -> bool:
        return self.between(0, 1) < probability

    def either(self, yes: bool, low: tuple[float, float], high: tuple[float, float]) -> float:
        """From the high range where `yes`, else from the low one; the gap keeps labels clear."""
        return self.between(*(high if yes else low))

    def one(self, options: Sequence[Choice]) -> Choice:
        return options[int(self.between(0, len(options)))]

    def number(self, options: Sequence[object]) -> int:
        return int(self.between(0, len(options)))


def person(seed: int, number: int) -> Person:
    """The person of this number; the same for ever."""
    draw = _Draws(stream(seed, "synthetic person", number))
    feminine, old = draw.chance(0.5), draw.chance(0.3)
    bald = not feminine and draw.chance(0.3)
    shade = draw.between(0.2, 1.0)
    long_hair = draw.chance(0.75 if feminine else 0.1) and not bald
    moustache, goatee, beard = _facial_hair(draw, allowed=not feminine)
    return Person(
        skin=draw.either(not draw.chance(0.3), (0.0, 0.12), (0.2, 1.0)),
        head_width=draw.between(0.41, 0.52),
        head_height=draw.between(0.58, 0.68),
        jaw=draw.between(0.62, 1.05),
        ears=draw.between(0.8, 1.25),
        hair_colour="Gray_Hair" if old and draw.chance(0.6) else draw.one(tuple(HAIR)[:3]),
        hair_shade=shade * 2 - 1.2,
        bald=bald,
        long_hair=long_hair,
        wavy=not bald and draw.chance(0.45),
        bangs=not bald and draw.chance(0.3),
        receding=not feminine and draw.chance(0.3),
        hair_volume=draw.between(0.05, 0.15),
        parting=draw.between(-0.7, 0.7),
        brow_thickness=draw.either(draw.chance(0.35), (0.014, 0.026), (0.042, 0.056)),
        brow_arch=draw.either(draw.chance(0.4), (0.0, 0.022), (0.05, 0.075)),
        brow_tilt=draw.between(-0.2, 0.2),
        brow_height=draw.between(0.13, 0.19),
        eye_colour=draw.number(EYES),
        eye_spacing=draw.between(0.19, 0.235),
        eye_size=draw.between(0.1, 0.13),
        eye_opening=draw.either(draw.chance(0.3), (0.52, 0.66), (0.26, 0.34)),
        eye_slant=draw.between(-0.22, 0.22),
        eye_height=draw.between(-0.08, 0.02),
        nose_length=draw.between(0.24, 0.34),
        nose_width=draw.either(draw.chance(0.35), (0.06, 0.085), (0.115, 0.145)),
        mouth_width=draw.between(0.14, 0.21),
        mouth_height=draw.between(0.13, 0.17),
        lip=draw.either(draw.chance(0.35), (0.02, 0.034), (0.052, 0.066)),
        lipstick=draw.between(0.7, 1.0) if feminine and draw.chance(0.55) else 0.0,
        moustache=moustache,
        goatee=goatee,
        beard=beard,
        old=old,
        rosy=draw.chance(0.25),
        earrings=feminine and draw.chance(0.4),
        glasses=draw.chance(0.3),
        glasses_round=draw.between(0, 1),
        glasses_colour=draw.number(FRAMES),
    )


def _facial_hair(draw: _Draws, allowed: bool) -> tuple[bool, bool, bool]:
    """Moustache, goatee, full beard; a full beard has a moustache and no separate goatee."""
    if not allowed or draw.chance(0.35):
        return False, False, False
    beard = draw.chance(0.35)
    goatee = not beard and draw.chance(0.5)
    return beard or not goatee or draw.chance(0.5), goatee, beard


def view(seed: int, number: int, photograph: int, who: Person) -> View:
    """How this photograph of the person of this number comes out."""
    draw = _Draws(stream(seed, "synthetic photograph", number, photograph))
    smiling, speaking = draw.chance(0.5), draw.chance(0.4)
    grey = draw.between(45, 210)
    base = [grey + draw.between(-28, 28) for _ in range(3)]
    corners: list[Colour] = []
    for _ in range(4):
        change = draw.between(-35, 35)
        red, green, blue = (min(max(value + change, 0), 255) for value in base)
        corners.append((red, green, blue))
    return View(
        shift=(draw.between(-0.06, 0.06), draw.between(-0.05, 0.05)),
        zoom=draw.between(1.08, 1.22),
        roll=draw.between(-0.16, 0.16),
        yaw=draw.between(-0.42, 0.42),
        pitch=draw.between(-0.1, 0.1),
        light=(draw.between(-1, 1), draw.between(-0.9, 0.1)),
        strength=draw.between(0.15, 0.6),
        exposure=draw.between(0.85, 1.15),
        warmth=draw.between(-1, 1),
        smile=draw.either(smiling, (0.0, 0.18), (0.65, 1.0)),
        mouth_open=draw.between(0.4, 1.0) if speaking else 0.0,
        gaze=draw.between(-0.6, 0.6),
        squint=draw.between(0.0, 0.2),
        glasses=draw.chance(0.92 if who.glasses else 0.04),
        clothes=draw.number(CLOTHES),
        background=(corners[0], corners[1], corners[2], corners[3]),
        noise=draw.between(1.0, 4.0),
    )


def attributes(who: Person, seen: View) -> dict[str, bool]:
    """What can be seen on the photograph, under CelebA's names and in its order."""
    colour = None if who.bald else who.hair_colour
    return {
        "Arched_Eyebrows": who.brow_arch > 0.035,
        "Bald": who.bald,
        "Bangs": who.bangs,
        "Big_Lips": who.lip > 0.043,
        "Big_Nose": who.nose_width > 0.1,
        "Black_Hair": colour == "Black_Hair",
        "Blond_Hair": colour == "Blond_Hair",
        "Brown_Hair": colour == "Brown_Hair",
        "Bushy_Eyebrows": who.brow_thickness > 0.034,
        "Eyeglasses": seen.glasses,
        "Goatee": who.goatee,
        "Gray_Hair": colour == "Gray_Hair",
        "Mouth_Slightly_Open": seen.mouth_open > 0,
        "Mustache": who.moustache,
        "Narrow_Eyes": who.eye_opening < 0.43,
        "No_Beard": not (who.moustache or who.goatee or who.beard),
        "Pale_Skin": who.skin < 0.16,
        "Receding_Hairline": who.receding and not (who.bald or who.bangs),
        "Rosy_Cheeks": who.rosy,
        "Smiling": seen.smile > 0.4,
        "Straight_Hair": not (who.bald or who.wavy),
        "Wavy_Hair": who.wavy,
        "Wearing_Earrings": who.earrings,
        "Wearing_Lipstick": who.lipstick > 0,
        "Young": not who.old,
    }
