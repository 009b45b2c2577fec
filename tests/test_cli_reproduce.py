"""`facecrafter reproduce`: from photographs to pages, on painted faces in a published layout."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from command_line import Run
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.other_prior import OtherPrior
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.commands import prepared, reproduce, source
from facecrafter.data.celeba import celeba
from facecrafter.data.synthetic import synthetic
from facecrafter.data.vggface2 import HAIR
from facecrafter.defences.noise import Noise
from facecrafter.defences.plain import Plain
from facecrafter.inversion import Descent
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.threats import PRIORS, Threat
from facecrafter.pictures import sheet

GENERATORS = reproduce.GENERATORS
# Of what is trained on features, and of the features: with fewer than 8 maps, slopes of a 1 x 1
# convolution of stride 2 corrupt memory on processors with AVX2 alone (oneDNN's issue 6035).
MAPS = "8"
WIDTHS = (MAPS, "4", "4", "4")
BRIEF = (
    *("--target.widths", *WIDTHS, "--target.epochs", "1", "--target.batch", "8"),
    *("--prior.latent-dim", "5", "--prior.width", "2", "--prior.critic-width", "2"),
    *("--prior.warm-epochs", "1", "--prior.batch", "4"),
    *("--decoder.width", "24", "--decoder.epochs", "1", "--decoder.batch", "8"),
    *("--amortiser.width", "2", "--amortiser.steps", "2", "--amortiser.batch", "4"),
    *("--surrogate.widths", MAPS, MAPS, "4", "--surrogate.epochs", "1", "--surrogate.batch", "8"),
    *("--judge.widths", *WIDTHS, "--judge.epochs", "1", "--judge.batch", "2"),
    *("--style.widths", "3", "3", "2", "2", "2", "--style.latent-dim", "5"),
    *("--style.batch", "8", "--style.warm-epochs", "1", "--style.measured", "4"),
    *("--minimum", "1"),
)
FILES = ("target", "prior", "decoder", "surrogate", "judge", "amortiser", "bundle")


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tables of two defences and one attack, and one generator."""
    monkeypatch.setattr(prepared, "PROJECT", tmp_path / "project")
    search = LatentSearch(Descent(2, 0.1), heat=None, restarts=1)
    white, black = Threat("white-box", search), Threat("black-box", ShadowDecoder(1), "black-box")
    style = Threat("white-box A2, style", OtherPrior("style", search))
    held = {threat.name: threat for threat in (white, black, style)}
    both = (Plain(), Noise(1.0))
    grid = replace(LFW64, defences=both, threats=(white, black), seeds=(0,))
    priors = replace(LFW64_PRIORS, defences=both, threats=(white, style))
    monkeypatch.setattr(reproduce, "all_threats", lambda **_: held)
    monkeypatch.setattr(reproduce, "GENERATORS", {})
    for name, table in (("grid", grid), ("priors", priors)):
        monkeypatch.setitem(reproduce.TABLES, name, table)


def vggface2(root: Path) -> Path:
    """Six people as VGGFace2 has them, three of them private, with hair colours."""
    faces, rows = synthetic(3, people=6, photographs=6, size=64), ["image,hair_colour"]
    for number, (person, image) in enumerate(zip(faces.identities, faces.images(), strict=True)):
        name = f"n{person:06}/{number:04}_01.jpg"
        path = root / ("train" if person < 3 else "test") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet(image[None], columns=1).save(path)
        rows.append(f"{name},{HAIR[number % len(HAIR)]}")
    (root / "hair_colour.csv").write_text("\n".join(rows) + "\n")
    return root


def celeba_like(root: Path) -> Path:
    """Six people of six photographs each, as CelebA has them."""
    faces = synthetic(4, people=6, photographs=6, size=64)
    (root / "img_align_celeba").mkdir(parents=True)
    labels, people = [str(len(faces)), "Smiling Bald Young "], list[str]()
    for number, (person, image) in enumerate(zip(faces.identities, faces.images(), strict=True)):
        name = f"{number + 1:06}.jpg"
        picture = sheet(image[None], columns=1).resize((178, 218))
        picture.save(root / "img_align_celeba" / name)
        labels.append(f"{name} {1 - 2 * (number % 2)} {2 * (number % 3 == 0) - 1} 1")
        people.append(f"{name} {person + 1}")
    (root / "list_attr_celeba.txt").write_text("\n".join(labels) + "\n")
    (root / "identity_CelebA.txt").write_text("\n".join(people) + "\n")
    return root


def test_one_command_goes_from_photographs_to_a_report(run: Run, tmp_path: Path) -> None:
    words = ("reproduce", "--data", "vggface2", "--root", vggface2(tmp_path / "faces"))
    words = (*words, "--tables", "grid", "priors", "--out", "mine", *BRIEF, "--json")
    code, out, err = run(*words)
    assert code == 0, err
    told = json.loads(out)
    assert told["pages"] == ["results", "priors"]
    assert {path.name for path in Path("mine").iterdir()} >= set(FILES)
    results = sorted(Path("mine/results").glob("*.json"))
    assert len(results) == 2 * 2 + 2  # the white-box attack is in both tables
    page = Path("mine/docs/results.md").read_text()
    assert page.startswith("# vggface2, 64 x 64, deployment\n")
    assert "LFW, 64" not in page
    assert "| Noise |" in page
    assert "No figure of the paper is entered" in page
    assert "white-box A2, style" in Path("mine/docs/priors.md").read_text()
    assert "vggface2" in Path(told["out"]).read_text()
    assert not Path("mine/docs/reproduction.md").exists()  # that is of LFW
    before = {path.name: path.read_bytes() for path in results}
    code, _, err = run(*words)
    assert code == 0, err
    assert before == {path.name: path.read_bytes() for path in results}


def test_celeba_as_it_is_published(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(celeba, private_people=2)  # there are not a thousand
    monkeypatch.setitem(source._LOADERS, "celeba", few)
    words = ("reproduce", "--data", "celeba", "--root", celeba_like(tmp_path / "faces"))
    code, out, err = run(*words, "--tables", "grid", "--out", "mine", *BRIEF, "--json")
    assert code == 0, err
    assert json.loads(out)["pages"] == ["results"]
    assert not Path("mine/priors").exists()
    names = {path.name.split("_")[0] for path in Path("mine/results").glob("*.json")}
    assert names == {"celeba64-deployment"}


def test_generators_are_those_of_the_attackers() -> None:
    assert {*GENERATORS, "style"} == set(PRIORS)


def test_what_is_not_there_is_told_before_anything_is_trained(run: Run) -> None:
    code, _, err = run("reproduce", "--data", "celeba", "--out", "mine")
    assert code == 1
    assert "--root" in err
    assert not Path("mine").exists()
