"""Published StyleGAN2 generators: as NVIDIA's code computes them, framed, kept, and refused."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from facecrafter.errors import DataError, SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.randomness import stream
from facecrafter.training.adoption import ADVICE, adopted, generator, keep
from facecrafter.training.foreign import read
from facecrafter.training.framing import cut, framing
from facecrafter.training.style_prior import StylePrior
from published_generator import DIM, WIDTHS, normals, weights

# What NVIDIA's stylegan2-ada-pytorch (commit d72cc7d, noise_mode='const', float32) makes of
# `weights` and `normals`: the styles of the first z, and six values (channel, row, column) of each
# picture, which is -1 to 1 where weights are trained.
STYLES = [-2.1026, -0.3221, 8.0323, 14.0607, 13.746, 7.2218, -0.5145, -2.2433]
PLACES = [(0, 0, 0), (1, 0, 15), (2, 15, 0), (0, 15, 15), (1, 7, 8), (2, 3, 12)]
VALUES = [
    [35.0138, -23.1855, 10.7804, 6.1397, -39.4603, 17.5852],
    [37.6022, -17.902, 28.2158, -2.4885, -44.2221, -20.8867],
]


@pytest.fixture
def prior():
    made = adopted(weights(), 16)
    made.measure(stream(0, "measured"), 2000)
    return made


def test_it_computes_what_nvidias_code_computes(prior):
    styles = prior.layers[1](prior.mapping(normals())) * 2**0.5
    torch.testing.assert_close(styles[0], torch.tensor(STYLES), rtol=0, atol=1e-4)
    pictures = 2 * prior.pictures(prior.whitened(normals())) - 1
    seen = torch.stack([pictures[:, c, y, x] for c, y, x in PLACES], dim=1)
    torch.testing.assert_close(seen, torch.tensor(VALUES), rtol=0, atol=1e-3)


def test_a_face_is_a_square_of_the_picture_each_pixel_a_mean():
    made = adopted(weights(), 4, (2, 6, 8))
    made.measure(stream(0, "measured"), 2000)
    latents = made.whitened(normals())
    square = made.pictures(latents)[..., 2:10, 6:14]
    means = square.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-2, -1))
    torch.testing.assert_close(made(latents), means.clamp(0, 1))
    assert (made.size, made.latent_dim) == (4, DIM)


def test_latents_are_standard_normal_and_a_search_of_them_has_slopes(prior):
    drawn = prior.whitened(torch.randn(4000, DIM, generator=stream(1, "z")))
    torch.testing.assert_close(drawn.std(dim=0), torch.ones(DIM), rtol=0, atol=0.1)
    latents = drawn[:2].clone().requires_grad_()
    prior.layers[2].picture(prior.layers[:2](latents)).square().mean().backward()
    assert latents.grad is not None
    assert latents.grad.abs().amin() > 0


def test_maps_beyond_a_side_are_left_out():
    made = adopted(weights(), 8, largest=8)
    assert made.arguments["widths"] == WIDTHS[:2]
    assert made(torch.zeros(1, DIM)).shape == (1, 3, 8, 8)


def test_it_is_kept_and_read_as_it_was(tmp_path):
    prior = adopted(weights(), 8)
    prior.measure(stream(0, "measured"), 2000)
    prior.frame((1, 3, 12))
    keep(tmp_path / "ffhq", prior, "adopted")
    again = generator(tmp_path / "ffhq")
    latents = prior.whitened(normals())
    assert isinstance(again, StylePrior)
    assert again.measured == 2000
    assert torch.equal(again(latents), prior(latents))
    assert torch.equal(fold_batch_norms(again)(latents), prior(latents))
    assert again.arguments == prior.arguments


def test_half_precision_weights_are_read(tmp_path):
    save_file({k: v.half() for k, v in weights().items()}, tmp_path / "half.safetensors")
    found = read(tmp_path / "half.safetensors", ADVICE)
    assert found["synthesis.b4.const"].dtype == torch.float32
    adopted(found, 16)


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in weights().items() if key != name}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (without("synthesis.b8.torgb.bias"), r"synthesis\.b8\.torgb\.bias.*docs/stylegan\.md"),
        (without("mapping.fc0.weight"), r"mapping\.fc0\.weight"),
        (weights() | {"mapping.embed.weight": torch.ones(8, 2)}, "makes pictures of classes"),
        (weights() | {"synthesis.b8.skip.weight": torch.ones(5, 6, 1, 1)}, "adds maps, not"),
        (weights() | {"synthesis.b8.resample_filter": torch.ones(4, 4) / 16}, "another filter"),
        (weights() | {"mapping.fc1.weight": torch.ones(8, 9)}, "size mismatch"),
        ({"synthesis.blob": torch.ones(2)}, "not the weights of a StyleGAN2"),
        (weights() | {"mapping.fc0.weight": torch.ones(())}, "not the weights of a StyleGAN2"),
    ],
)
def test_weights_of_another_kind_are_refused(given, told):
    with pytest.raises(DataError, match=told):
        adopted(given, 16)


@pytest.mark.parametrize(
    ("size", "box", "largest", "told"),
    [
        (16, None, 12, r"largest=12: this StyleGAN has maps of \[4, 8, 16\] pixels"),
        (16, None, 2, "largest=2"),
        (32, None, None, "faces are no larger than its pictures"),
        (8, (0, 9, 8), None, r"box=\(0, 9, 8\): .* within 16 x 16"),
        (8, (-1, 0, 8), None, r"box=\(-1, 0, 8\)"),
        (8, (0, 0, 7), None, r"no less than the faces' 8"),
    ],
)
def test_what_does_not_fit_is_refused(size, box, largest, told):
    with pytest.raises(SettingError, match=told):
        adopted(weights(), size, box, largest)


def test_a_pickle_is_never_opened(tmp_path):
    class Opened:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    (tmp_path / "ffhq.pkl").write_bytes(pickle.dumps(Opened()))
    with pytest.raises(DataError, match=r"ffhq\.pkl is no safetensors file.*docs/stylegan\.md"):
        read(tmp_path / "ffhq.pkl", ADVICE)


def test_a_folder_whose_generator_was_spoilt_is_refused(tmp_path, prior):
    prior.arguments["widths"] = (6, 5)
    keep(tmp_path / "ffhq", prior, "adopted")
    with pytest.raises(DataError, match="the StyleGAN in ffhq is broken: adopt it again"):
        generator(tmp_path / "ffhq")


@pytest.mark.parametrize("side", [32, 128])
def test_the_square_that_is_framed_as_faces_are_is_found(side):
    rng = stream(0, "picture", side)
    rough = torch.randn(1, 3, 16, 16, generator=rng)
    picture = torch.nn.functional.interpolate(rough, size=side, mode="bicubic")[0]
    box = (side // 8 + 1, side // 4, side // 2 + 1)
    face = 0.3 * cut(picture, box, 16) + 0.5  # paler
    found, like = framing(picture, face)
    assert found == box
    assert like > 0.999


def test_an_average_of_one_tone_shows_no_face():
    with pytest.raises(DataError, match="an average of one tone"):
        framing(torch.rand(3, 16, 16), torch.full((3, 8, 8), 0.5))
