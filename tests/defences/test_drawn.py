"""Each face gets an average face of its own, whatever its neighbours are."""

import torch

from facecrafter.defences.drawn import DrawnDistance
from facecrafter.defences.privacy import average_faces
from facecrafter.randomness import child, stream
from helpers import random_images, tiny_offline


def test_the_distance_is_the_mean_square_from_the_faces_drawn() -> None:
    offline, faces = tiny_offline(), random_images(4)
    scores = DrawnDistance().begin(offline, faces, stream(0, "drawn")).of(faces)
    average = average_faces(offline, 4, child(stream(0, "drawn"), "average"), faces)
    torch.testing.assert_close(scores, (faces - average).square().mean(dim=(1, 2, 3)))
    assert (average[0] - average[1]).abs().max() > 0  # not one face for all


def test_neighbours_do_not_matter() -> None:
    offline, faces, others = tiny_offline(), random_images(4), random_images(4, seed=1)
    others[0] = faces[0]
    first, again = (
        DrawnDistance().begin(offline, some, stream(0, "drawn")).of(some)[0]
        for some in (faces, others)
    )
    assert first == again
