"""The hair of a synthetic person: what lies behind the head, and what falls before the forehead."""

import numpy as np

from facecrafter.data.canvas import Canvas, Points, hair_of, line, mixed
from facecrafter.data.traits import Colour

TOP = np.linspace(np.pi, 2 * np.pi, 33)  # from the left ear over the crown to the right
LOCKS = np.linspace(-0.85, 0.85, 7)
BLACK: Colour = (0, 0, 0)
LIGHT: Colour = (255, 244, 226)


def _crown(canvas: Canvas) -> Points:
    """The hair's outer edge over the head; wavy hair is bumpy."""
    who = canvas.who
    out = who.hair_volume * (1.35 if who.wavy else 1.0)
    bumps = 0.028 * np.sin(11 * TOP + 40 * who.parting) if who.wavy else 0 * TOP
    x = (who.head_width + 0.75 * out + bumps) * np.cos(TOP)
    return line(x, (who.head_height + out + bumps) * np.sin(TOP))


def behind(canvas: Canvas) -> None:
    """Long hair down to the shoulders; short hair down to the ears."""
    who = canvas.who
    if who.bald:
        return
    crown = _crown(canvas)
    end = who.head_height + 0.25 if who.long_hair else 0.12
    down = np.linspace(0, 1, 12)
    swing = 0.045 * np.sin(5 * np.pi * down + 3 * who.parting) if who.wavy else 0.03 * down
    edge = who.head_width + 0.75 * who.hair_volume + swing
    if not who.long_hair:
        edge = edge - 0.08 * down
    right = line(edge, end * down)
    left = line(-edge, end * down)[::-1]
    shape = np.concatenate([crown, right, left])
    canvas.fill(canvas.flat(shape), mixed(hair_of(who), BLACK, 0.3))


def before(canvas: Canvas) -> None:
    """From the crown down to the hairline, locks at the sides, and some strands."""
    who = canvas.who
    if who.bald:
        return
    colour = hair_of(who)
    hairline = canvas.at(_hairline(canvas)[::-1])
    canvas.fill(np.concatenate([canvas.flat(_crown(canvas)), hairline]), colour)
    if who.long_hair:
        _side_locks(canvas, colour)
    _strands(canvas, colour)


def _hairline(canvas: Canvas) -> Points:
    """Where the forehead begins, from the left temple to the right."""
    who = canvas.who
    along = np.linspace(-1, 1, 25)
    brow = who.eye_height - who.brow_height
    if who.bangs:
        height = np.full(25, brow - 0.015) - 0.05 * np.abs(along - who.parting)
        ragged = 0.028 * np.sin(9 * np.pi * along) if who.wavy else 0.02 * (np.arange(25) % 3)
        height = height - ragged
    else:
        middle = 0.66 if not who.receding else 0.72
        part = 0.10 * np.exp(-(((along - who.parting) / 0.3) ** 2))
        height = -who.head_height * (middle + part)
        if who.receding:
            height = height - 0.14 * np.exp(-(((np.abs(along) - 0.55) / 0.22) ** 2))
        if who.wavy:
            height = height + 0.02 * np.sin(7 * np.pi * along)
    temple = np.abs(along) ** 5
    bottom = 0.0 if not who.receding else -0.12
    return line(0.97 * who.head_width * along, height * (1 - temple) + bottom * temple)


def _side_locks(canvas: Canvas, colour: Colour) -> None:
    """Long hair before the ears, down to the shoulders."""
    who = canvas.who
    down = np.linspace(0, 1, 14)
    wave = 0.04 * np.sin(5 * np.pi * down + 3 * who.parting) if who.wavy else 0 * down
    y = -0.25 + (who.head_height + 0.48) * down
    above = np.minimum(y, 0) / (who.head_height + who.hair_volume)
    round_head = np.sqrt(1 - above**2)  # where the locks still lie on the crown
    for side in (-1, 1):
        wide = (who.head_width + 0.75 * who.hair_volume) * round_head
        outer = side * (wide + 0.03 * down + wave * np.minimum(4 * down, 1))
        inner = side * (who.head_width * (0.97 - 0.10 * np.sin(np.pi * down)) + wave)
        shape = np.concatenate([line(outer, y), line(inner[::-1], y[::-1])])
        canvas.fill(canvas.flat(shape), colour)
        for share in (0.3, 0.65):
            lock = line(outer + (inner - outer) * share, y)
            canvas.stroke(canvas.flat(lock), mixed(colour, BLACK, 0.16), 0.014)


def _strands(canvas: Canvas, colour: Colour) -> None:
    """Lines from the parting to the hairline, dark and light in turn."""
    who = canvas.who
    crown = canvas.flat(_crown(canvas))
    hairline = canvas.at(_hairline(canvas))
    root = canvas.flat(np.array([(who.parting * who.head_width * 0.6, -who.head_height * 0.98)]))[0]
    share = np.linspace(0, 1, 7)[:, None]
    for i, place in enumerate(LOCKS):
        goal = hairline[round((place + 1) / 2 * 24)]
        bow = crown[round((place + 1) / 2 * 32)]
        curve = (
            (1 - share) ** 2 * root + 2 * share * (1 - share) * (bow + goal) / 2 + share**2 * goal
        )
        if who.wavy:
            side = np.array([goal[1] - root[1], root[0] - goal[0]])
            curve = curve + 0.05 * np.sin(3 * np.pi * share) * side
        tone = mixed(colour, LIGHT, 0.16) if i % 2 else mixed(colour, BLACK, 0.2)
        canvas.stroke(curve, tone, 0.016)
