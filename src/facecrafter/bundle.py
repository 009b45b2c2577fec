"""A bundle: the networks that a trusted party hands out (IV-C), pinned by SHA-256.

A folder of `target.safetensors`, `prior.safetensors` ..., `config.json` (how to make each network,
and facts about the data), `README.md` (the model card) and `manifest.json` (length and SHA-256 of
every other file). Nothing in it is code, and every byte is checked before it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from facecrafter import pinned
from facecrafter.errors import BundleError, SettingError
from facecrafter.headers import HeaderError, read_header
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.critic import Critic
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.models.judge import Judge
from facecrafter.models.part import AbstractPart, Arguments, frozen
from facecrafter.models.prior import Prior
from facecrafter.models.split import AbstractSplitModel, ResNet, Vgg16
from facecrafter.models.surrogate import Surrogate
from facecrafter.pinned import FORMAT, LARGEST_TEXT, as_json, broken, from_json

LARGEST_FILE = 640 * 2**20  # bytes; VGG-16 in float32, the largest network here, has 528 MiB
LARGEST_ARGUMENT = 1_000_000  # of a constructor; far above any width here
LARGEST_HALF = torch.finfo(torch.float16).max

CLASSES: dict[str, tuple[type[AbstractPart], ...]] = {  # the only ones that a config may name
    "target": (ResNet, Vgg16),
    "prior": (Prior,),
    "amortiser": (Amortiser,),
    "decoder": (Decoder, LinearDecoder),
    "judge": (Judge,),
    "critic": (Critic,),
    "surrogate": (Surrogate,),
}
_FILES = frozenset({"README.md", "config.json"} | {f"{part}.safetensors" for part in CLASSES})
_PEOPLE = {"names", "people", "person", "identities", "identity"}


@dataclass(frozen=True)
class Bundle:
    """Networks in evaluation mode, float32, without gradients of weights; `None` = not given."""

    facts: Mapping[str, Any]  # image size, names of attributes, where the data is from
    digest: str  # SHA-256 of manifest.json: names these very weights
    target: AbstractSplitModel | None = None
    prior: Prior | None = None
    amortiser: Amortiser | None = None
    decoder: Decoder | LinearDecoder | None = None
    judge: Judge | None = None
    critic: Critic | None = None
    surrogate: Surrogate | None = None

    @overload
    def need(self, part: Literal["target"]) -> AbstractSplitModel: ...
    @overload
    def need(self, part: Literal["prior"]) -> Prior: ...
    @overload
    def need(self, part: Literal["amortiser"]) -> Amortiser: ...
    @overload
    def need(self, part: Literal["decoder"]) -> Decoder | LinearDecoder: ...
    @overload
    def need(self, part: Literal["judge"]) -> Judge: ...
    @overload
    def need(self, part: Literal["critic"]) -> Critic: ...
    @overload
    def need(self, part: Literal["surrogate"]) -> Surrogate: ...
    def need(self, part: str) -> nn.Module:
        """The network of that name. Raises `BundleError` where the bundle has none."""
        return self.part(part)

    def part(self, part: str) -> AbstractPart:
        """The same for a name that only the caller's input tells."""
        found = getattr(self, part) if part in CLASSES else None
        if found is None:
            held = [name for name in CLASSES if getattr(self, name) is not None]
            raise BundleError(
                f"this bundle holds no {part!r}, only {held}. Train one and save it with the "
                "others, or take another bundle."
            )
        return found


def save(
    folder: Path,
    parts: Mapping[str, AbstractPart],
    facts: Mapping[str, Any],
    card: str,
    half: bool = True,
) -> None:
    """Write a bundle in the place of an earlier one; if anything fails, the earlier one stays.

    `half`: matrices and kernels in float16 where they fit; vectors (biases, batch statistics) stay
    float32, since they are few and variances span more than float16 holds. `facts` may hold what
    JSON can, but no names of people. Raises `BundleError`.
    """
    _refuse_people(facts)
    files = {f"{name}.safetensors": _weights(name, part, half) for name, part in parts.items()}
    described = {
        name: {
            "class": type(part).__name__,
            "arguments": part.arguments,
            "dtype": "float16" if half else "float32",
        }
        for name, part in parts.items()
    }
    files["config.json"] = as_json({"format": FORMAT, "parts": described, "facts": dict(facts)})
    files["README.md"] = card.encode()
    pinned.write(folder, files, _FILES)


def load(folder: Path | str, device: torch.device | str = "cpu") -> Bundle:
    """Check and read a bundle. Raises `BundleError`, which names the file and the rule."""
    found = pinned.look(Path(folder), _FILES)
    config = from_json("config.json", found.read("config.json"))
    described, facts = config.get("parts"), config.get("facts")
    if not isinstance(described, dict) or not isinstance(facts, dict):
        raise broken("config.json", "has no parts or no facts")
    wanted = {"README.md", "config.json", *(f"{name}.safetensors" for name in described)}
    if set(found.files) != wanted:
        raise broken("config.json", f"describes {sorted(described)}, the files are others")
    found.read("README.md")
    parts: dict[str, Any] = {}
    for name, how in described.items():
        network, file = _made(name, how), f"{name}.safetensors"
        _fill(network, file, found.read(file, LARGEST_FILE))
        parts[name] = frozen(network.to(device))
    return Bundle(facts, found.digest, **parts)


def _weights(name: str, part: AbstractPart, half: bool) -> bytes:
    if name not in CLASSES or type(part) not in CLASSES[name]:
        raise BundleError(
            f"a bundle holds no {type(part).__name__} as {name!r}; it may hold {_choices()}."
        )
    tensors = {key: value.detach().cpu() for key, value in part.state_dict().items()}
    fresh = _empty(type(part), part.arguments).state_dict()
    if {k: v.shape for k, v in tensors.items()} != {k: v.shape for k, v in fresh.items()}:
        raise BundleError(
            f"{name!r} is not the {type(part).__name__} that its arguments describe: it was "
            "changed after it was made, perhaps folded. Save the network before that."
        )
    for key, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise BundleError(f"{key} of {name!r} is not finite; such weights are not saved.")
    return tensors_to_bytes({key: _stored(value, half) for key, value in tensors.items()})


def _stored(value: Tensor, half: bool) -> Tensor:
    if not value.is_floating_point():
        return value.contiguous()
    small = half and value.ndim > 1 and bool((value.abs() <= LARGEST_HALF).all())
    return value.to(torch.float16 if small else torch.float32).contiguous()


def _refuse_people(facts: object) -> None:
    """The judge's classes are numbers; whose face is whose stays with the owner of the data."""
    if isinstance(facts, Mapping):
        for key, value in cast("Mapping[str, object]", facts).items():
            if str(key).lower() in _PEOPLE and not isinstance(value, int):
                raise BundleError(
                    f"the facts name people under {key!r}: a bundle says how many people there "
                    "were, never who. Give their number."
                )
            _refuse_people(value)
    elif isinstance(facts, list | tuple):
        for value in cast("list[object]", facts):
            _refuse_people(value)


def _made(name: str, how: object) -> AbstractPart:
    """The network that config.json describes, without memory for its weights yet."""
    if name not in CLASSES:
        raise broken("config.json", f"describes {name[:60]!r}; a bundle holds {_choices()}")
    if not isinstance(how, dict) or not isinstance(how.get("arguments"), dict):
        raise broken("config.json", f"does not say how to make {name!r}")
    kinds = {kind.__name__: kind for kind in CLASSES[name]}
    if not isinstance(how.get("class"), str) or how["class"] not in kinds:
        raise broken("config.json", f"makes {name!r} of another class than {sorted(kinds)}")
    if how.get("dtype") not in ("float16", "float32"):
        raise broken("config.json", f"stores {name!r} in a type that is not float16 or float32")
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in how["arguments"].items()
    }
    if not all(_in_range(value) for value in arguments.values()):
        raise broken("config.json", f"gives {name!r} an argument that is not a modest number")
    try:
        return _empty(kinds[how["class"]], arguments)
    except (TypeError, ValueError, RuntimeError, SettingError) as error:
        raise broken(
            "config.json", f"gives {name!r} arguments that do not fit ({error})"
        ) from error


def _empty(kind: type[AbstractPart], arguments: Arguments) -> AbstractPart:
    with torch.device("meta"):
        return cast("Any", kind)(**arguments)


def _in_range(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 8 and all(_in_range(one) for one in cast("tuple[object, ...]", value))
    return type(value) is int and 1 <= value <= LARGEST_ARGUMENT


def _fill(network: AbstractPart, name: str, data: bytes) -> None:
    """Give the network its weights, if they are those of this network and finite."""
    try:
        header = read_header(data, LARGEST_TEXT)
        tensors = read_tensors(data)
    except (HeaderError, SafetensorError) as error:
        raise broken(name, str(error)) from error
    wanted = network.state_dict()
    if header.keys() != wanted.keys():
        odd = sorted(header.keys() ^ wanted.keys())[0]
        raise broken(name, f"lacks or adds {odd[:80]!r}")
    for key, value in wanted.items():
        if header[key].shape != tuple(value.shape):
            raise broken(name, f"{key} is {header[key].shape}, not {tuple(value.shape)}")
        if (header[key].dtype == "I64") == value.is_floating_point():
            raise broken(name, f"{key} is {header[key].dtype}, not as {value.dtype} may be stored")
    for key, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise broken(name, f"{key} is not finite")
        tensors[key] = value.float() if value.is_floating_point() else value
    network.load_state_dict(tensors, assign=True)


def _choices() -> dict[str, list[str]]:
    return {part: [kind.__name__ for kind in kinds] for part, kinds in CLASSES.items()}
