"""A bundle gives back what was saved, and refuses whatever was altered."""

import hashlib
import inspect
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import nn

from facecrafter import bundle, pinned
from facecrafter.errors import BundleError
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.judge import Judge
from facecrafter.models.prior import Prior
from facecrafter.models.split import ResNet, Vgg16
from facecrafter.models.surrogate import Surrogate

NARROW = (4, 6, 8, 10)
FACTS = {"size": 32, "attributes": ["smiling", "bald"], "data": "drawn", "people": 3}


def parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    made = {
        "target": ResNet(2, 18, NARROW),
        "prior": Prior(6, 4, 32),
        "amortiser": Amortiser(4, 6, 4),
        "decoder": Decoder(4, 8, 32, 8),
        "judge": Judge(3, 50, NARROW),
        "critic": Critic(4),
    }
    made["target"](torch.rand(8, 3, 32, 32))  # gives the batch norms statistics
    made["prior"](torch.randn(8, 6))
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "small"
    bundle.save(folder, parts(), FACTS, "# Small", half=False)
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    """A bundle of one part, to be spoilt."""
    bundle.save(tmp_path / "one", {"prior": parts()["prior"]}, FACTS, "# One")
    return tmp_path / "one"


def repin(folder: Path) -> None:
    """What a forger would do: a manifest that fits the altered files."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        data = (folder / name).read_bytes()
        manifest["files"][name] = {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def edit_config(folder: Path, change) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    repin(folder)


def edit_weights(folder: Path, change) -> None:
    tensors = read_tensors((folder / "prior.safetensors").read_bytes())
    change(tensors)
    (folder / "prior.safetensors").write_bytes(tensors_to_bytes(tensors))
    repin(folder)


def test_gives_back_what_was_saved(saved):
    loaded = bundle.load(saved)
    assert dict(loaded.facts) == FACTS
    assert loaded.digest == hashlib.sha256((saved / "manifest.json").read_bytes()).hexdigest()
    for name, part in parts().items():
        again = loaded.need(name)  # pyright: ignore[reportArgumentType]
        assert type(again) is type(part)
        assert again.arguments == part.arguments
        assert not again.training
        assert not any(parameter.requires_grad for parameter in again.parameters())
        before, after = part.state_dict(), again.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_the_manifest_lists_every_other_file(saved):
    listed = json.loads((saved / "manifest.json").read_text())["files"]
    assert {path.name for path in saved.iterdir()} == {*listed, "manifest.json"}
    for name, told in listed.items():
        data = (saved / name).read_bytes()
        assert told == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    bundle.save(tmp_path / "again", parts(), FACTS, "# Small", half=False)
    assert bundle.load(tmp_path / "again").digest == bundle.load(saved).digest


def test_half_precision_changes_answers_by_little(tmp_path, saved):
    bundle.save(tmp_path / "half", parts(), FACTS, "", half=True)
    half, full = bundle.load(tmp_path / "half"), bundle.load(saved)
    assert all(p.dtype == torch.float32 for p in half.need("target").parameters())
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    latents = torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    for part, given in (("target", images), ("prior", latents), ("judge", images)):
        was, now = full.need(part)(given), half.need(part)(given)
        assert (now - was).abs().max() < 5e-3 * was.abs().max()
    smaller = (tmp_path / "half" / "prior.safetensors").stat().st_size
    assert smaller < 0.7 * (saved / "prior.safetensors").stat().st_size


def test_half_precision_keeps_small_variances_and_large_weights(tmp_path):
    prior = Prior(6, 4, 32)
    prior.layers[1].running_var.fill_(1e-9)  # float16 would make it 0
    prior.layers[0].weight.data[0, 0] = 1e6  # float16 would make it infinite
    bundle.save(tmp_path / "b", {"prior": prior}, {}, "")
    again = bundle.load(tmp_path / "b").need("prior")
    assert again.layers[1].running_var.eq(1e-9).all()
    assert again.layers[0].weight[0, 0] == 1e6


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ResNet, {"classes": 2, "depth": 18, "widths": NARROW}),
        (Judge, {"people": 3, "depth": 50, "widths": NARROW}),
        (Prior, {"latent_dim": 6, "width": 4, "size": 32, "depth": 4}),
        (Amortiser, {"channels": 4, "latent_dim": 6, "width": 4}),
        (Decoder, {"channels": 4, "side": 8, "size": 32, "width": 8}),
        (LinearDecoder, {"channels": 4, "side": 8, "size": 32}),
        (Critic, {"width": 4}),
        (Surrogate, {"channels": 4, "tasks": 2, "widths": (4, 4)}),
        (Vgg16, {"classes": 2, "hidden": 8, "pool": 1}),
    ],
)
def test_every_network_remembers_all_its_arguments(kind, arguments):
    assert any(kind in kinds for kinds in bundle.CLASSES.values())
    assert arguments.keys() == inspect.signature(kind).parameters.keys()
    with torch.device("meta"):
        assert kind(**arguments).arguments == arguments


def test_every_class_that_a_config_may_name_is_tried_above():
    tried = {ResNet, Judge, Prior, Amortiser, Decoder, LinearDecoder, Critic, Surrogate, Vgg16}
    assert {kind for kinds in bundle.CLASSES.values() for kind in kinds} == tried


def test_a_missing_part_is_named(folder):
    with pytest.raises(BundleError, match=r"no 'target', only \['prior'\]"):
        bundle.load(folder).need("target")


@pytest.mark.parametrize("name", ["manifest.json", "config.json", "README.md", "prior.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: is missing from one"):
        bundle.load(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BundleError, match=r"manifest.json: is missing from nothing"):
        bundle.load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["config.json", "README.md", "prior.safetensors"])
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_one_flipped_byte_is_noticed(folder, name, place):
    data = bytearray((folder / name).read_bytes())
    data[int(place * len(data))] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: was altered"):
        bundle.load(folder)


@pytest.mark.parametrize("name", ["config.json", "prior.safetensors"])
def test_a_cut_file_is_noticed(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=f"{name}: has {len(data) - 1} bytes"):
        bundle.load(folder)


def test_files_beside_the_listed_ones_are_not_read(folder):
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "target.safetensors").write_bytes(b"\0")
    assert bundle.load(folder).target is None


CONFIGS = {
    "unknown part": (
        lambda c: c["parts"].update(eraser=c["parts"]["prior"]),
        "describes",
    ),
    "no parts": (lambda c: c.pop("parts"), "has no parts"),
    "no facts": (lambda c: c.pop("facts"), "has no parts or no facts"),
    "no format": (lambda c: c.pop("format"), "does not say its format"),
    "newer format": (lambda c: c.update(format=2), "Upgrade facecrafter"),
    "class by path": (lambda c: c["parts"]["prior"].update({"class": "os.system"}), "class"),
    "class of another part": (lambda c: c["parts"]["prior"].update({"class": "Critic"}), "class"),
    "class that is a list": (lambda c: c["parts"]["prior"].update({"class": []}), "class"),
    "other type": (lambda c: c["parts"]["prior"].update(dtype="float8"), "float16 or float32"),
    "no arguments": (lambda c: c["parts"]["prior"].pop("arguments"), "how to make"),
    "unknown argument": (lambda c: c["parts"]["prior"]["arguments"].update(pi=3), "do not fit"),
    "refused argument": (lambda c: c["parts"]["prior"]["arguments"].update(depth=5), "do not fit"),
    "huge argument": (lambda c: c["parts"]["prior"]["arguments"].update(width=2**40), "modest"),
    "text argument": (lambda c: c["parts"]["prior"]["arguments"].update(width="x"), "modest"),
    "true argument": (lambda c: c["parts"]["prior"]["arguments"].update(width=True), "modest"),
    "overflow": (
        lambda c: c["parts"]["prior"]["arguments"].update(
            width=10**6, size=10**6, latent_dim=10**6
        ),
        "prior",
    ),
    "other width": (lambda c: c["parts"]["prior"]["arguments"].update(width=8), "prior.safeten"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_config_is_refused(folder, name):
    change, message = CONFIGS[name]
    edit_config(folder, change)
    with pytest.raises(BundleError, match=message):
        bundle.load(folder)


WEIGHTS = {
    "NaN": (lambda t: t["layers.0.weight"].view(-1)[3:4].fill_(torch.nan), "weight is not finite"),
    "infinity": (lambda t: t["layers.1.running_var"].fill_(torch.inf), "not finite"),
    "missing": (lambda t: t.pop("layers.0.bias"), "lacks or adds 'layers.0.bias'"),
    "added": (lambda t: t.update(extra=torch.zeros(1)), "lacks or adds 'extra'"),
    "other shape": (lambda t: t.update({"layers.0.bias": torch.zeros(3)}), r"\(3,\), not \(256,\)"),
    "float64": (lambda t: t.update({"layers.0.bias": torch.zeros(256).double()}), "F64"),
    "whole numbers": (
        lambda t: t.update({"layers.0.bias": torch.zeros(256, dtype=torch.int64)}),
        "layers.0.bias is I64",
    ),
    "fractions": (
        lambda t: t.update({"layers.1.num_batches_tracked": torch.zeros(())}),
        "num_batches_tracked is F32",
    ),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_wrong_weights_are_refused(folder, name):
    change, message = WEIGHTS[name]
    edit_weights(folder, change)
    with pytest.raises(BundleError, match=f"prior.safetensors: .*{message}"):
        bundle.load(folder)


MANIFESTS = {
    "no JSON": (b"\x80\x04.", "not valid JSON"),
    "a list": (b"[]", "not a JSON object"),
    "twice": (b'{"format":1,"format":1,"files":{}}', "a key twice"),
    "no files": (b'{"format":1}', "lists no files"),
    "empty": (b'{"format":1,"files":{}}', "does not list config.json"),
    "another file": (b'{"format":1,"files":{"../x":{}}}', "lists '../x'"),
    "pickle": (b'{"format":1,"files":{"model.pt":{}}}', "lists 'model.pt'"),
    "no digest": (b'{"format":1,"files":{"README.md":{"bytes":1}}}', "bytes and sha256"),
    "text": (b'{"format":1,"files":{"README.md":{"bytes":"1","sha256":""}}}', "another type"),
    "newer": (b'{"format":99}', "Upgrade facecrafter"),
    "deep": (b"[" * 10_000, "not valid JSON"),
    "large": (b" " * (2**20 + 1), "more than the 1048576 bytes"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_wrong_manifest_is_refused(folder, name):
    data, message = MANIFESTS[name]
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(BundleError, match=message):
        bundle.load(folder)


def test_a_file_above_the_limit_is_refused(folder, monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST_FILE", 100)
    with pytest.raises(BundleError, match="more than the 100 bytes"):
        bundle.load(folder)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (folder / "README.md").rename(tmp_path / "elsewhere.md")
    (folder / "README.md").symlink_to(tmp_path / "elsewhere.md")
    with pytest.raises(BundleError, match=r"README.md: is a link that leaves"):
        bundle.load(folder)


def test_a_linked_bundle_loads(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert bundle.load(tmp_path / "link").need("prior").latent_dim == 6


@pytest.mark.parametrize("fails_at", range(5))
def test_a_full_disk_leaves_the_earlier_bundle(folder, monkeypatch, fails_at):
    before, calls = bundle.load(folder).digest, iter(range(99))

    def full(_handle: int) -> None:
        if next(calls) == fails_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(pinned.os, "fsync", full)
    with pytest.raises(BundleError, match="earlier bundle there is as it was"):
        bundle.save(folder, {"critic": Critic(4)}, {}, "")
    assert bundle.load(folder).digest == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failed_rename_puts_the_earlier_bundle_back(folder, monkeypatch):
    before, rename = bundle.load(folder).digest, Path.rename

    def refuses(path: Path, to: Path) -> Path:
        if path.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuses)
    with pytest.raises(BundleError, match="Input/output error"):
        bundle.save(folder, {"critic": Critic(4)}, {}, "")
    assert bundle.load(folder).digest == before


def test_a_bundle_replaces_another(folder):
    bundle.save(folder, {"critic": Critic(4)}, {}, "")
    loaded = bundle.load(folder)
    assert loaded.prior is None
    assert isinstance(loaded.critic, Critic)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_saving_deletes_no_other_file(folder):
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"diary.txt"):
        bundle.save(folder, {"critic": Critic(4)}, {}, "")
    assert (folder / "diary.txt").read_text() == "mine"


def test_a_file_is_not_replaced_by_a_bundle(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match="file is a file"):
        bundle.save(tmp_path / "file", {"critic": Critic(4)}, {}, "")


@pytest.mark.parametrize(
    "facts",
    [
        {"people": ["Ada Lovelace"]},
        {"data": {"Names": "Ada"}},
        {"list": [{"person": "Ada"}]},
    ],
)
def test_names_of_people_are_not_saved(tmp_path, facts):
    with pytest.raises(BundleError, match="never who"):
        bundle.save(tmp_path / "b", {"critic": Critic(4)}, facts, "")
    assert not (tmp_path / "b").exists()


def test_facts_that_json_cannot_hold(tmp_path):
    for fact in (float("nan"), {1, 2}):
        with pytest.raises(BundleError, match="cannot hold these facts"):
            bundle.save(tmp_path / "b", {"critic": Critic(4)}, {"fact": fact}, "")


def test_what_cannot_be_loaded_is_not_saved(tmp_path):
    critic = Critic(4)
    with pytest.raises(BundleError, match="no Critic as 'prior'"):
        bundle.save(tmp_path / "b", {"prior": critic}, {}, "")
    with pytest.raises(BundleError, match="no Critic as 'eraser'"):
        bundle.save(tmp_path / "b", {"eraser": critic}, {}, "")
    with pytest.raises(BundleError, match="perhaps folded"):
        bundle.save(tmp_path / "b", {"prior": fold_batch_norms(Prior(6, 4, 32).eval())}, {}, "")
    critic.layers[0].weight.data.fill_(torch.nan)
    with pytest.raises(BundleError, match=r"layers.0.weight of 'critic' is not finite"):
        bundle.save(tmp_path / "b", {"critic": critic}, {}, "")
