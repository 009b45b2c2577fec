"""Features survive the wire; nothing else does."""

import json
import pickle
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from facecrafter.errors import WireError
from facecrafter.wire import LARGEST_HEADER, Limits, dumps, loads

FEATURES = torch.arange(2 * 3 * 2 * 2).float().view(2, 3, 2, 2) - 7
GOOD = dumps(FEATURES)
LIMITS = Limits(most_bytes=2**20, most_images=4, shape=(3, 2, 2), most_norm=100.0)


def message(header: object, values: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header, honest about its length unless told otherwise."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + values


def entry(dtype="F32", shape=(2, 3, 2, 2), offsets=(0, 96), **more) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def one(**changes) -> dict:
    return {"features": entry(**changes)}


VALUES = bytes(96)
EMPTY = {str(i): entry(shape=(0,), offsets=(0, 0)) for i in range(200_000)}
TWICE = b'{"features":%s,"features":%s}' % ((json.dumps(entry()).encode(),) * 2)
FIELD_TWICE = json.dumps(one()).replace('"dtype"', '"dtype": "F16", "dtype"').encode()

# what is wrong -> bytes, part of the message
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "has 0 bytes"),
    "seven bytes": (GOOD[:7], "has 7 bytes"),
    "only a length": (GOOD[:8], "within its header"),
    "no header": (message(b""), "header of 0 bytes"),
    "endless header": (message(b"{}", length=2**64 - 1), "announces a header"),
    "longer header than the limit": (message(b" " * (LARGEST_HEADER + 1)), "announces a header"),
    "header beyond the end": (message(one(), length=4000), "within its header"),
    "cut values": (GOOD[:-1], "holds 95 bytes of values"),
    "a byte too many": (GOOD + b"\0", "holds 97 bytes of values"),
    "two messages": (GOOD + GOOD, "bytes of values"),
    "no JSON": (message(b"{features}", VALUES), "not valid JSON"),
    "not UTF-8": (message(b'{"\xff":1}', VALUES), "not valid JSON"),
    "UTF-16": (message(json.dumps(one()).encode("utf-16"), VALUES), "not valid JSON"),
    "half of a surrogate pair": (message({"\ud800": entry()}, VALUES), "holds tensors"),
    "deeper than the stack": (message(b"[" * 4000), "not valid JSON"),
    "number of 4,000 digits": (message(b'{"features":' + b"9" * 4000 + b"}"), "by other fields"),
    "a list": (message([one()], VALUES), "not a JSON object"),
    "a text": (message("features", VALUES), "not a JSON object"),
    "null": (message({"features": None}, VALUES), "by other fields"),
    "no tensor": (message({}), "one, named 'features'"),
    "another name": (message({"faces": entry()}, VALUES), "holds tensors"),
    "name twice": (message(TWICE, VALUES), "a key twice"),
    "field twice": (message(FIELD_TWICE, VALUES), "a key twice"),
    "one tensor too many": (
        save({"features": FEATURES, "identity": torch.ones(1)}),
        "holds tensors",
    ),
    "metadata": (save({"features": FEATURES}, {"name": "Ada"}), "carries metadata"),
    "empty metadata": (message({"__metadata__": {}, **one()}, VALUES), "carries metadata"),
    "50 MB of metadata": (save({"features": FEATURES}, {"x": "x" * 50_000_000}), "limit of"),
    "200,000 empty tensors": (message(EMPTY), "limit of"),
    "many empty tensors": (
        message({str(i): entry(shape=(0,), offsets=(0, 0)) for i in range(60)}),
        "holds tensors",
    ),
    "an empty tensor beside": (
        message({**one(), "z": entry(shape=(0,), offsets=(96, 96))}, VALUES),
        "holds tensors",
    ),
    "more fields": (message(one(owner="Ada"), VALUES), "by other fields"),
    "float64": (save({"features": FEATURES.double()}), "as 'F64'"),
    "bfloat16": (save({"features": FEATURES.bfloat16()}), "as 'BF16'"),
    "whole numbers": (save({"features": FEATURES.long()}), "whole numbers"),
    "bytes": (save({"features": FEATURES.byte()}), "as 'U8'"),
    "type that is a list": (message(one(dtype=["F32"]), VALUES), "allowed are"),
    "three axes": (save({"features": FEATURES[0]}), "have shape"),
    "five axes": (save({"features": FEATURES[None]}), "have shape"),
    "no axes": (save({"features": torch.tensor(1.0)}), "have shape"),
    "no images": (save({"features": FEATURES[:0]}), "none 0"),
    "negative": (message(one(shape=(-2, -3, 2, 2)), VALUES), "not counts"),
    "fractions": (message(one(shape=(2.0, 3, 2, 2)), VALUES), "not counts"),
    "true for one": (message(one(shape=(True, 24, 1, 1)), VALUES), "not counts"),
    "NaN in the header": (message(b'{"features": NaN}', VALUES), "contains NaN"),
    "overflow": (message(one(shape=(2**62, 4, 1, 1)), VALUES), "not counts"),
    "overflow to the right size": (message(one(shape=(2**33, 2**33, 1, 1)), VALUES), "not what"),
    "hundred axes": (message(one(shape=(1,) * 96 + (24,)), VALUES), "not counts"),
    "other size": (message(one(shape=(2, 3, 2, 3)), VALUES), "not what"),
    "hole before": (message(one(offsets=(4, 100)), bytes(100)), "shares bytes"),
    "offsets turned round": (message(one(offsets=(96, 0)), VALUES), "not what"),
    "three offsets": (message(one(offsets=(0, 96, 96)), VALUES), "not counts"),
    "no offsets": (message({"features": {"dtype": "F32", "shape": [1]}}), "by other fields"),
    "NaN": (save({"features": FEATURES / 0 * 0}), "not finite"),
    "infinity": (save({"features": FEATURES / 0}), "not finite"),
    "infinity in float16": (save({"features": (FEATURES * 1e6).half()}), "not finite"),
    "too many images": (dumps(torch.zeros(5, 3, 2, 2)), "5 images, above"),
    "another cut": (dumps(torch.zeros(2, 3, 4, 4)), "expected are"),
    "large norm": (dumps(FEATURES * 100), "norm"),
    "pickle": (pickle.dumps(FEATURES.tolist()), "announces a header"),
    "zip": (b"PK\x03\x04" + bytes(100), "announces a header|not valid JSON"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_are_refused(kind):
    data, said = HOSTILE[kind]
    with pytest.raises(WireError, match=said):
        loads(data, LIMITS)


def test_refusing_takes_no_time():
    began = time.process_time()
    for data, _ in HOSTILE.values():
        with pytest.raises(WireError):
            loads(data, LIMITS)
    assert time.process_time() - began < 0.5  # 200,000 empty tensors take the library 2.6 s


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_features_come_back(dtype):
    sent = FEATURES.to(dtype)
    again = loads(dumps(sent), LIMITS)
    assert again.dtype == torch.float32
    assert torch.equal(again, sent.float())


def test_a_message_holds_nothing_else():
    length = int.from_bytes(GOOD[:8], "little")
    header = json.loads(GOOD[8 : 8 + length])
    assert header == one()
    assert len(GOOD) == 8 + length + FEATURES.numel() * 4
    assert length < 100


def test_views_and_gradients_do_not_matter():
    turned = FEATURES.permute(0, 1, 3, 2).requires_grad_()
    assert torch.equal(loads(dumps(turned)), turned.detach())
    last = FEATURES.to(memory_format=torch.channels_last)
    assert dumps(last) == GOOD


def test_without_limits_any_shape_passes():
    features = torch.rand(128, 1, 3, 7)
    assert torch.equal(loads(dumps(features)), features)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (FEATURES / 0, "not finite"),
        (FEATURES.double(), "float64"),
        (FEATURES[:0], "at least one image"),
    ],
)
def test_what_would_be_refused_is_not_sent(features, said):
    with pytest.raises(WireError, match=said):
        dumps(features)


def loads_or_refuses(data: bytes) -> None:
    try:
        features = loads(data, LIMITS)
    except WireError:
        return
    assert features.shape[1:] == (3, 2, 2)
    assert len(features) <= 4
    assert torch.isfinite(features).all()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    loads_or_refuses(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.binary(max_size=120))
def test_random_headers(header, values):
    loads_or_refuses(message(header, values))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(GOOD)),
    st.binary(max_size=8),
)
def test_mutations(flips, cut, tail):
    data = bytearray(GOOD)
    for place, value in flips:
        data[place] = value
    loads_or_refuses(bytes(data))
    loads_or_refuses(bytes(data[:cut]) + tail)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["F32", "F16", "I64", "F64"]) | json_values,
            "shape": st.lists(st.integers(-1, 6), max_size=5) | json_values,
            "data_offsets": st.lists(st.integers(-1, 100), max_size=3) | json_values,
        }
    ),
    st.integers(0, 100),
)
def test_headers_that_are_nearly_right(described, count):
    loads_or_refuses(message({"features": described}, bytes(count)))
