"""What is measured on, and what each attacker reads of it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.data.synthetic import synthetic
from facecrafter.errors import DataError, SettingError
from facecrafter.paper.scenes import Scene, judge_labels
from facecrafter.paper.tiny import tiny
from facecrafter.randomness import stream


def test_black_box_attacker_reads_neither_encoder_nor_prior(scene: Scene) -> None:
    view = scene.view("black-box")
    assert (view.encoder, view.prior, view.amortiser, view.public) == (None, None, None, None)
    assert len(view.shadows) == 2


def test_white_box_attacker_reads_encoder_and_prior(scene: Scene) -> None:
    view = scene.view("white-box")
    assert view.encoder is not None
    assert view.prior is scene.prior


def test_more_decoders_than_there_are_are_refused_not_trained(scene: Scene) -> None:
    with pytest.raises(SettingError, match="3 decoders"):
        ShadowDecoder(restarts=3).fit(scene.view("black-box"), stream(0, "test"))


def test_folded_networks_answer_as_the_bundle_does(scene: Scene) -> None:
    images = scene.images([0, 1])
    with torch.no_grad():
        expected = scene.bundle.need("target").encode(images)
        torch.testing.assert_close(scene.target.encode(images), expected)


def test_batches_hold_every_face_once_and_are_nearly_equal(scene: Scene) -> None:
    batches = scene.batches()
    assert sorted(np.concatenate(batches)) == list(range(len(scene.private_test)))
    assert [len(rows) for rows in batches] == [5, 4]


def test_digest_tells_scenes_apart(scene: Scene) -> None:
    others = [tiny(), replace(scene, batch=4), scene.some(8), replace(scene, shadows=())]
    digests = [other.digest for other in others]
    assert digests[0] == scene.digest
    assert len({scene.digest, *digests}) == 4


def test_digest_follows_the_networks_of_a_bundle_not_its_card(scene: Scene) -> None:
    bundle = scene.bundle
    described = replace(bundle, digest="of a better card", facts={"seconds": 3})
    assert replace(scene, bundle=described).digest == scene.digest
    target = copy.deepcopy(bundle.need("target"))
    target.arguments = {**target.arguments, "cut": 99}
    recut = replace(scene, bundle=replace(bundle, target=target))
    assert recut.unjudged != scene.unjudged
    judged = replace(scene, bundle=replace(bundle, judge=tiny(1).bundle.judge))
    assert judged.unjudged == scene.unjudged
    assert judged.digest != scene.digest


def test_some_of_the_faces_are_another_scene(scene: Scene) -> None:
    few = scene.some(4)
    assert few.name == "tiny-4"
    assert len(few.private_test) == len(few.labels) == 4
    assert few.minimum == scene.minimum
    assert scene.some(4, minimum=2).minimum == 2
    with pytest.raises(SettingError, match="0 of 9"):
        scene.some(0)


def test_labels_are_places_among_the_judges_people() -> None:
    faces = synthetic(0, people=4, photographs=2, size=16)
    train = faces.take(faces.identities > 1)
    assert judge_labels(train, train).tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match="person 0"):
        judge_labels(train, faces)
