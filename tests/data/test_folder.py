"""One's own photographs, flat or in a folder for each person."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facecrafter.data import detect
from facecrafter.data.crops import Crop, read
from facecrafter.data.detect import largest_face
from facecrafter.data.folder import folder
from facecrafter.errors import DataError, UnreadableImage


def test_a_flat_folder_shows_people_who_are_not_known(tmp_path, photograph):
    for i, name in enumerate(("b.png", "a.JPG", "c.webp")):
        photograph(tmp_path / name, seed=i)
    (tmp_path / "notes.txt").write_text("not a photograph")
    (tmp_path / ".hidden.jpg").write_text("nor this")
    faces = folder(tmp_path)
    assert faces.names == ("a.JPG", "b.png", "c.webp")
    assert faces.identities.tolist() == [-1, -1, -1]
    assert faces.people == ()
    assert faces.size == 64
    assert np.array_equal(faces.pixels[1], read(tmp_path / "b.png", Crop(64)))


def test_a_folder_for_each_person(tmp_path, photograph):
    for i, name in enumerate(("ann/2.png", "ann/1.png", "bob/1.png", "stranger.png")):
        photograph(tmp_path / name, seed=i)
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "1.png").write_text("left by an archiver")
    faces = folder(tmp_path, 16, tmp_path / ".cache")
    assert faces.names == ("ann/1.png", "ann/2.png", "bob/1.png", "stranger.png")
    assert faces.identities.tolist() == [0, 0, 1, -1]
    assert faces.people == ("ann", "bob")
    assert isinstance(faces.pixels.source, np.memmap)
    assert len(folder(tmp_path, 16, tmp_path / ".cache")) == 4


def test_attributes_are_read_by_path(tmp_path, photograph):
    for i, name in enumerate(("ann/1.png", "bob/1.png")):
        photograph(tmp_path / name, seed=i)
    (tmp_path / "attributes.csv").write_text("file_name,Smiling\nbob/1.png,0.75\n")
    faces = folder(tmp_path, 16)
    assert faces.known().tolist() == [1]
    assert faces.attribute("Smiling")[1] == 0.75
    (tmp_path / "attributes.csv").write_text("image,Smiling\n1.png,0.75\n")
    with pytest.raises(DataError, match=r"row for '1\.png', and there is no such photograph"):
        folder(tmp_path, 16)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: None, "there is no folder 'photos'"),
        (lambda root: root.write_text("a file"), "there is no folder 'photos'"),
        (lambda root: root.mkdir(), r"no photograph in 'photos' \(0 other files\)"),
        (
            lambda root: (root.mkdir(), (root / "a.txt").write_text("")),
            r"no photograph in 'photos' \(1 other files\).*\.jpg",
        ),
        (
            lambda root: (root.mkdir(), (root / "a.HEIC").write_text("")),
            r"a\.HEIC is of a kind that is not read",
        ),
    ],
)
def test_a_folder_without_photographs_is_named(tmp_path, prepare, message):
    prepare(tmp_path / "photos")
    with pytest.raises(DataError, match=message):
        folder(tmp_path / "photos")


def test_folders_in_folders_are_refused(tmp_path, photograph):
    photograph(tmp_path / "family" / "ann" / "1.png")
    with pytest.raises(DataError, match=r"family/ann/1\.png lies two folders deep"):
        folder(tmp_path)


def test_a_bad_photograph_is_named(tmp_path, photograph):
    photograph(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImage, match=r"bad\.jpg .*\(the file is empty\)"):
        folder(tmp_path)


class _Cascade:
    """Finds what it is told to find."""

    boxes: object = ()
    broken = False

    def __init__(self, path: str) -> None:
        assert path.endswith(detect.CASCADE)

    def empty(self) -> bool:
        return self.broken

    def detectMultiScale(self, picture: np.ndarray, **settings: object) -> object:
        assert picture.ndim == 2
        return self.boxes


@pytest.fixture
def cascade(monkeypatch):
    """OpenCV without OpenCV."""
    made = type("Cascade", (_Cascade,), {})
    module = SimpleNamespace(CascadeClassifier=made, data=SimpleNamespace(haarcascades="/x"))
    monkeypatch.setitem(sys.modules, "cv2", module)
    return made


def test_the_largest_face_is_cut_out_with_its_hair(cascade):
    cascade.boxes = np.array([[0, 0, 30, 30], [100, 60, 50, 50], [10, 10, 20, 20]])
    box = largest_face(Image.new("RGB", (300, 200)))
    assert box == (125 - 35, 85 - 35, 125 + 35, 85 + 35)  # 1.4 times 50


def test_the_square_stays_within_the_photograph(cascade):
    cascade.boxes = np.array([[0, 0, 100, 100]])
    assert largest_face(Image.new("RGB", (300, 120))) == (0, 0, 120, 120)
    cascade.boxes = np.array([[200, 40, 80, 80]])
    left, top, right, bottom = largest_face(Image.new("RGB", (280, 120)))
    assert (right, bottom) == (280, 120)
    assert right - left == bottom - top == 112


def test_a_large_photograph_is_searched_small(cascade):
    cascade.boxes = np.array([[100, 100, 100, 100]])  # of 1024 pixels
    left, _, right, _ = largest_face(Image.new("RGB", (4096, 4096)))
    assert right - left == 560


def test_no_face_is_said_with_the_files_name(cascade, tmp_path, photograph):
    photograph(tmp_path / "wall.png")
    with pytest.raises(UnreadableImage, match=r"no face is found in wall\.png"):
        folder(tmp_path, find_faces=True)


def test_folder_cuts_out_what_is_found(cascade, tmp_path):
    picture = Image.new("RGB", (200, 100), "black")
    picture.paste("white", (120, 20, 190, 90))
    picture.save(tmp_path / "off.png")
    cascade.boxes = np.array([[130, 30, 50, 50]])
    assert (folder(tmp_path, 16, find_faces=True).pixels[0] == 255).all()
    assert (folder(tmp_path, 16).pixels[0] == 0).any()


def test_a_missing_detector_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"pip install 'facecrafter\[detect\]'"):
        largest_face(Image.new("RGB", (64, 64)))


def test_opencv_5_has_no_cascades_and_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace())
    with pytest.raises(DataError, match=r"OpenCV 4 with its cascades"):
        largest_face(Image.new("RGB", (64, 64)))


def test_a_broken_cascade_is_refused(cascade):
    cascade.broken = True
    with pytest.raises(DataError, match="cannot load haarcascade"):
        largest_face(Image.new("RGB", (64, 64)))


def test_a_public_domain_portrait_is_found_for_real():
    pytest.importorskip("cv2", reason="the extra 'detect' is not installed")
    data = pytest.importorskip("skimage.data")
    portrait = Image.fromarray(data.astronaut())
    left, top, right, bottom = largest_face(portrait)
    assert left < 224 < right  # her nose
    assert top < 110 < bottom
    assert 90 < right - left < 220
    with pytest.raises(UnreadableImage, match="no face is found"):
        largest_face(Image.new("RGB", (300, 300), "grey"))


def test_a_path_may_be_relative(tmp_path, photograph, monkeypatch):
    photograph(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert folder(Path("photos"), 16).names == ("a.png",)
