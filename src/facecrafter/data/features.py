"""The parts of a synthetic face, each painted on a canvas from the person's traits."""

import numpy as np

from facecrafter.data.canvas import (
    ACROSS,
    ARC,
    ROUND,
    Canvas,
    Values,
    hair_of,
    line,
    mixed,
    outline,
    oval,
    skin_of,
)
from facecrafter.data.traits import CLOTHES, EYES, FRAMES, Colour

DARK: Colour = (34, 18, 16)
WHITE: Colour = (240, 236, 232)


def head(canvas: Canvas) -> None:
    """The face without features."""
    canvas.fill(canvas.flat(outline(canvas.who)), skin_of(canvas.who))


def body(canvas: Canvas) -> None:
    """Shoulders in their clothes and the neck, darker under the chin."""
    who, skin = canvas.who, skin_of(canvas.who)
    chin, neck = who.head_height, who.head_width * 0.62
    cloth = CLOTHES[canvas.seen.clothes]
    shoulders = [(-1.6, 2.2), (-1.25, chin + 0.42), (-neck * 1.1, chin + 0.2)]
    shape = np.array([*shoulders, *((-x, y) for x, y in reversed(shoulders))])
    canvas.fill(canvas.flat(shape), cloth)
    throat = [(-neck, 0.2), (-neck, chin + 0.2), (0, chin + 0.42), (neck, chin + 0.2), (neck, 0.2)]
    canvas.fill(canvas.flat(np.array(throat)), mixed(skin, (60, 30, 20), 0.22))
    shade = oval(0, chin * 0.86, neck * 1.02, 0.22)
    canvas.fill(canvas.flat(shade), mixed(skin, (40, 20, 15), 0.38))


def cheeks(canvas: Canvas) -> None:
    """Red ones, for those who have them."""
    who = canvas.who
    if not who.rosy:
        return
    for side in (-1, 1):
        for size, share in ((1.0, 0.16), (0.72, 0.28), (0.42, 0.38)):
            spot = oval(
                side * who.head_width * 0.56, nose_tip(canvas) - 0.03, 0.13 * size, 0.1 * size
            )
            canvas.fill(canvas.at(spot), mixed(skin_of(who), (222, 70, 72), share))


def ears(canvas: Canvas) -> None:
    """Two, unless long hair covers them."""
    who = canvas.who
    if who.long_hair:
        return
    skin = mixed(skin_of(who), (120, 50, 40), 0.12)
    for side in (-1, 1):
        shape = oval(side * who.head_width * 1.02, 0.06, 0.06 * who.ears, 0.13 * who.ears)
        canvas.fill(canvas.at(shape, lift=-0.05), skin)
        inner = oval(side * who.head_width * 1.04, 0.05, 0.028 * who.ears, 0.08 * who.ears)
        canvas.fill(canvas.at(inner, lift=-0.05), mixed(skin, DARK, 0.22))


def eyes(canvas: Canvas) -> None:
    """White, iris, pupil and a spark, between two lids."""
    for side in (-1, 1):
        _eye(canvas, side)


def _eye(canvas: Canvas, side: int) -> None:
    who, seen = canvas.who, canvas.seen
    skin = skin_of(who)
    x, y = side * who.eye_spacing, who.eye_height
    wide = who.eye_size
    tall = wide * who.eye_opening * (1 - 0.5 * seen.squint - 0.15 * seen.smile)
    slant = -who.eye_slant * side * wide * ACROSS
    upper = y + slant - tall * (1 - ACROSS**2) ** 0.75
    lower = y + slant + 0.62 * tall * (1 - ACROSS**2)
    across = x + wide * ACROSS
    socket = oval(x, y - 0.02, wide * 1.3, tall * 1.5 + 0.045)
    canvas.fill(canvas.at(socket), mixed(skin, (90, 40, 36), 0.13))
    lids = np.concatenate([line(across, upper), line(across[::-1], lower[::-1])])
    canvas.fill(canvas.at(lids), WHITE)
    middle, radius = x + 0.3 * seen.gaze * wide, 0.48 * wide
    colour = EYES[who.eye_colour]
    for size, shade in (
        (1.0, mixed(colour, DARK, 0.35)),
        (0.8, colour),
        (0.42, (12.0, 10.0, 12.0)),
    ):
        disc = oval(middle, y - 0.1 * tall, radius * size, radius * size)
        clipped = np.clip(
            disc[:, 1], np.interp(disc[:, 0], across, upper), np.interp(disc[:, 0], across, lower)
        )
        canvas.fill(canvas.at(line(disc[:, 0], clipped)), shade)
    spark = oval(middle - 0.3 * radius, y - 0.4 * tall, 0.2 * radius, 0.2 * radius)
    canvas.fill(canvas.at(spark), (250.0, 250.0, 250.0))
    lashes = 0.030 if who.lipstick else 0.020
    canvas.stroke(canvas.at(line(across, upper)), DARK, lashes)
    canvas.stroke(canvas.at(line(across, upper - 0.032)), mixed(skin, DARK, 0.38), 0.011)
    canvas.stroke(canvas.at(line(across, lower)), mixed(skin, DARK, 0.42), 0.011)


def brows(canvas: Canvas) -> None:
    """Thick or thin, arched or straight, of the hair's colour but darker."""
    who = canvas.who
    colour = mixed(hair_of(who), (40, 26, 20), 0.45)
    along = np.linspace(-1, 1, 9)
    for side in (-1, 1):
        x = side * (who.eye_spacing * 1.02 + who.eye_size * 1.28 * along)
        arch = who.brow_arch * (1 - ((along - 0.2) / 1.2) ** 2)
        y = who.eye_height - who.brow_height - arch + who.brow_tilt * 0.1 * along
        thick = who.brow_thickness * (1 - 0.55 * np.maximum(along, 0)) * np.where(along < 1, 1, 0.3)
        shape = np.concatenate([line(x, y - thick), line(x[::-1], (y + thick)[::-1])])
        canvas.fill(canvas.at(shape), colour)


def nose_tip(canvas: Canvas) -> float:
    """How far down the nose ends."""
    return canvas.who.eye_height + canvas.who.nose_length


def nose(canvas: Canvas) -> None:
    """One side of the ridge in shadow, wings, nostrils, a light tip."""
    who, skin = canvas.who, skin_of(canvas.who)
    wide, tip, top = who.nose_width, nose_tip(canvas), who.eye_height
    shadow, light = mixed(skin, (90, 40, 30), 0.32), mixed(skin, (255, 250, 240), 0.30)
    dark = -1 if canvas.seen.light[0] > 0 else 1
    out = 0.75 * who.head_width + 0.10  # the tip stands out from the head
    ridge = [(0.35, top), (0.45, tip - 0.10), (1.0, tip - 0.01), (0.2, tip + 0.01), (0.12, top)]
    flank = np.array([(dark * wide * x, y) for x, y in ridge])
    canvas.fill(canvas.at(flank), shadow)
    for side in (-1, 1):
        wing = oval(side * wide * 0.72, tip - 0.015, wide * 0.36, 0.036)
        canvas.fill(canvas.at(wing), mixed(skin, (90, 40, 30), 0.26))
    bulb = oval(0, tip - 0.03, wide * 0.55, 0.05)
    canvas.fill(canvas.at(bulb, lift=out), mixed(skin, (200, 110, 90), 0.16))
    for side in (-1, 1):
        nostril = oval(side * wide * 0.44, tip + 0.012, wide * 0.24, 0.019)
        canvas.fill(canvas.at(nostril, lift=out - 0.05), mixed(skin, DARK, 0.68))
    under = line(wide * ACROSS, tip + 0.03 - 0.028 * ACROSS**2)
    canvas.stroke(canvas.at(under), mixed(skin, DARK, 0.34), 0.014)
    glow = np.array([(-0.016, top + 0.04), (0.016, top + 0.04), (0.02, tip - 0.04)])
    canvas.fill(canvas.at(glow, lift=out - 0.04), light)
    canvas.fill(canvas.at(oval(0, tip - 0.04, wide * 0.24, 0.02), lift=out), light)


def mouth(canvas: Canvas) -> None:
    """Two lips; open, with teeth and the dark between them."""
    who, seen, skin = canvas.who, canvas.seen, skin_of(canvas.who)
    y = nose_tip(canvas) + who.mouth_height
    wide = who.mouth_width * (1 + 0.28 * seen.smile - 0.1 * seen.mouth_open)
    x = wide * ACROSS
    bend = y + 0.035 * seen.smile - 0.085 * seen.smile * ACROSS**2
    gap = 0.1 * seen.mouth_open * np.sqrt(np.maximum(1 - ACROSS**2, 0))
    bow = 1 - 0.3 * np.exp(-((ACROSS / 0.18) ** 2))
    full = np.sqrt(np.maximum(1 - ACROSS**2, 0))
    inner_upper, inner_lower = bend - 0.25 * gap, bend + 0.75 * gap
    upper, lower = inner_upper - who.lip * full * bow, inner_lower + 1.25 * who.lip * full
    lips = mixed(mixed(skin, (168, 66, 66), 0.42), (176, 20, 44), who.lipstick)
    _band(canvas, x, upper, inner_upper, mixed(lips, DARK, 0.14))
    _band(canvas, x, inner_lower, lower, lips)
    if seen.mouth_open > 0:
        _band(canvas, x, inner_upper, inner_lower, (58.0, 16.0, 18.0))
        teeth = np.minimum(inner_upper + 0.045, inner_lower - 0.12 * gap)
        _band(canvas, x[2:-2], inner_upper[2:-2], teeth[2:-2], (236.0, 230.0, 218.0))
    else:
        canvas.stroke(canvas.at(line(x, bend)), mixed(lips, DARK, 0.6), 0.012)
    canvas.fill(
        canvas.at(oval(0, float(lower.max()) + 0.03, wide * 0.5, 0.014)), _shade(canvas, 0.16)
    )


def _shade(canvas: Canvas, share: float) -> Colour:
    """Skin in shadow, or the beard that grows there."""
    who = canvas.who
    ground = _beard_colour(canvas) if who.beard or who.goatee else skin_of(who)
    return mixed(ground, DARK, share)


def _band(canvas: Canvas, x: Values, top: Values, bottom: Values, colour: Colour) -> None:
    shape = np.concatenate([line(x, top), line(x[::-1], bottom[::-1])])
    canvas.fill(canvas.at(shape), colour)


def _beard_colour(canvas: Canvas) -> Colour:
    return mixed(mixed(hair_of(canvas.who), skin_of(canvas.who), 0.15), DARK, 0.15)


def beard(canvas: Canvas) -> None:
    """Along the whole jaw, or a goatee on the chin alone."""
    who = canvas.who
    y = nose_tip(canvas) + who.mouth_height
    if who.beard:
        jaw = outline(who)
        low = jaw[jaw[:, 1] >= -1e-9]  # from the right ear over the chin to the left
        cheek = line(0.80 * who.head_width * np.cos(ARC), (y - 0.05) * np.sin(ARC) ** 0.35)
        canvas.fill(
            np.concatenate([canvas.flat(low * (1.0, 1.04)), canvas.at(cheek[::-1])]),
            _beard_colour(canvas),
        )
    elif who.goatee:
        room = who.head_height * 1.03 - y
        chin = oval(0, y + 0.52 * room, who.mouth_width * 0.72, 0.52 * room)
        canvas.fill(canvas.at(chin), _beard_colour(canvas))


def moustache(canvas: Canvas) -> None:
    """Between nose and mouth; follows the smile."""
    who, seen = canvas.who, canvas.seen
    if not who.moustache:
        return
    bottom = nose_tip(canvas) + who.mouth_height - who.lip * 0.6
    rise = 0.06 * seen.smile * ACROSS**2
    x = who.mouth_width * 1.12 * ACROSS
    upper = bottom - 0.075 * (1 - ACROSS**2) ** 0.6 + 0.02 * np.abs(ACROSS) - rise
    lower = bottom + 0.012 + 0.03 * np.abs(ACROSS) - rise
    _band(canvas, x, upper, lower, _beard_colour(canvas))


def wrinkles(canvas: Canvas) -> None:
    """Age on the forehead, under the eyes and beside the nose; a smile alone folds the cheek."""
    who, seen, skin = canvas.who, canvas.seen, skin_of(canvas.who)
    fold = mixed(skin, (70, 30, 24), 0.36)
    tip = nose_tip(canvas)
    depth = 0.7 * seen.smile + (0.6 if who.old else 0.0)
    for side in (-1, 1):
        if depth > 0.4:
            end = (side * who.mouth_width * 1.42, tip + who.mouth_height * 0.9)
            start = (side * who.nose_width * 1.25, tip - 0.02)
            middle = (side * (who.nose_width * 0.5 + who.mouth_width * 0.95), tip + 0.05)
            canvas.stroke(canvas.at(np.array([start, middle, end])), fold, 0.012 * depth)
        if who.old:
            bag = line(
                side * who.eye_spacing + who.eye_size * np.cos(ARC),
                who.eye_height + 0.06 + 0.035 * np.sin(ARC),
            )
            canvas.stroke(canvas.at(bag), fold, 0.013)
            for spread in (-0.03, 0.02):
                x = side * (who.eye_spacing + who.eye_size * 1.12)
                foot = np.array([(x, who.eye_height), (x + side * 0.06, who.eye_height + spread)])
                canvas.stroke(canvas.at(foot), fold, 0.01)
    if who.old:
        brow = who.eye_height - who.brow_height - who.brow_arch
        for rise in (0.09, 0.15):
            y = brow - rise - 0.012 * np.cos(ACROSS * np.pi)
            canvas.stroke(canvas.at(line(0.52 * who.head_width * ACROSS, y)), fold, 0.012)


def earrings(canvas: Canvas) -> None:
    """A gold drop under each ear."""
    who = canvas.who
    if not who.earrings:
        return
    for side in (-1, 1):
        drop = oval(side * who.head_width * 1.04, 0.06 + 0.19 * who.ears, 0.028, 0.045)
        canvas.fill(canvas.at(drop, lift=-0.02), (232.0, 190.0, 70.0))


def glasses(canvas: Canvas) -> None:
    """Two rims between square and round, a bridge and the arms."""
    who = canvas.who
    if not canvas.seen.glasses:
        return
    colour, y = FRAMES[who.glasses_colour], who.eye_height + 0.012
    wide = min(who.eye_spacing - 0.025, who.eye_size * 1.55)
    tall = wide * (0.72 + 0.22 * who.glasses_round)
    power = 0.35 + 0.65 * who.glasses_round
    cos, sin = np.cos(ROUND), np.sin(ROUND)
    lift = 0.75 * who.head_width * 1.12  # a flat frame before the face
    for side in (-1, 1):
        x = side * who.eye_spacing + wide * np.sign(cos) * np.abs(cos) ** power
        rim = line(x, y + tall * np.sign(sin) * np.abs(sin) ** power)
        closed = np.concatenate([rim, rim[:2]])
        canvas.stroke(canvas.at(closed, lift=lift), colour, 0.026)
        hinge = canvas.at(np.array([(side * (who.eye_spacing + wide), y - 0.03)]), lift=lift)
        ear = canvas.at(np.array([(side * who.head_width * 1.0, y - 0.02)]), lift=0.0)
        canvas.stroke(np.concatenate([hinge, ear]), colour, 0.022)
    edge = who.eye_spacing - wide
    canvas.stroke(
        canvas.at(np.array([(-edge, y - 0.02), (edge, y - 0.02)]), lift=lift), colour, 0.024
    )
