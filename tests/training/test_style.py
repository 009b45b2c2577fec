"""The style-based prior: what its layers compute, its whitened space, its training."""

import json
import signal
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import conv2d

from facecrafter.errors import DataError, SettingError
from facecrafter.models.folding import fold_batch_norms
from facecrafter.models.part import frozen
from facecrafter.randomness import stream
from facecrafter.training import loop
from facecrafter.training.restore import restore
from facecrafter.training.style import StyleTraining
from facecrafter.training.style_prior import CLIP, StylePrior, _Modulated

WIDTHS = (6, 5, 4, 3, 2)
TINY = StyleTraining(5, WIDTHS, critic_width=4, batch=8, warm_epochs=2, measured=64)


@pytest.fixture
def prior() -> StylePrior:
    """Untrained and measured."""
    torch.manual_seed(0)
    made = frozen(StylePrior(5, WIDTHS))
    made.measure(stream(0, "measured"), 5000)
    return made


def normals(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 5, generator=stream(seed, "z"))


@pytest.mark.parametrize(("widths", "size"), [((3, 2), 8), ((3, 2, 2, 2), 32), (WIDTHS, 64)])
def test_every_width_doubles_the_side(widths, size):
    prior = frozen(StylePrior(5, widths))
    faces = prior(normals(3))
    assert faces.shape == (3, 3, size, size)
    assert prior.mapped(normals(3)).shape == faces.shape
    assert (prior.size, prior.latent_dim) == (size, 5)
    assert faces.min() > 0
    assert faces.max() < 1
    again = StylePrior(**prior.arguments)  # pyright: ignore[reportArgumentType]
    again.load_state_dict(prior.state_dict())
    assert torch.equal(frozen(again)(normals(3)), faces)


@pytest.mark.parametrize(
    ("latent_dim", "widths"), [(0, WIDTHS), (5, (4,)), (5, ()), (5, (4, 0)), (5, (4, -1))]
)
def test_a_prior_that_cannot_be_is_refused(latent_dim, widths):
    told = rf"latent_dim={latent_dim}, widths=\(.*\): give 1 or more latent dimensions and two"
    with pytest.raises(SettingError, match=told):
        StylePrior(latent_dim, widths)


@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_is_one_with_a_kernel_for_each_image(demodulate):
    """The formula of its docstring, written out."""
    torch.manual_seed(1)
    layer = frozen(_Modulated(5, 4, 3, 3, demodulate))
    layer.bias.copy_(torch.randn(3, 1, 1))
    maps, styles = torch.randn(2, 4, 6, 6), normals(2)
    made = layer(maps, styles)
    for image, style, expected in zip(maps, styles, made, strict=True):
        kernel = layer.weight * layer.style(style)[None, :, None, None]
        if demodulate:
            kernel = kernel / kernel.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
        by_itself = conv2d(image, kernel, padding=1) + layer.bias
        torch.testing.assert_close(expected, by_itself, rtol=1e-4, atol=1e-5)


def test_each_number_of_whitened_styles_has_mean_0_and_variance_1(prior):
    seen = prior.whitened(normals(0)), prior.whitened(normals(20_000, seed=1))
    assert seen[0].shape == (0, 5)
    torch.testing.assert_close(seen[1].mean(dim=0), torch.zeros(5), rtol=0, atol=0.05)
    torch.testing.assert_close(seen[1].var(dim=0), torch.ones(5), rtol=0, atol=0.1)


def test_whitened_styles_draw_the_faces_that_z_draws(prior):
    again = prior(prior.whitened(normals(200)))
    torch.testing.assert_close(again, prior.mapped(normals(200)), rtol=1e-4, atol=1e-5)


def test_no_latent_vector_leads_far_from_the_mean(prior):
    p = prior.mapping(torch.randn(5000, 5, generator=stream(0, "measured")))
    coloured = prior.layers[0](1000 * normals(50))
    bound = (coloured - p.mean(dim=0)).abs()
    expected = (CLIP * p.std(dim=0)).expand_as(bound)
    torch.testing.assert_close(bound, expected, rtol=1e-3, atol=1e-4)


def test_a_number_that_does_not_vary_is_left_alone():
    torch.manual_seed(0)
    prior = frozen(StylePrior(5, (3, 2)))
    prior.mapping[-1].weight[2] = 0
    prior.measure(stream(0, "measured"), 500)
    latents = prior.whitened(normals(9))
    assert torch.isfinite(latents).all()
    assert (latents[:, 2] == 0).all()
    assert (prior.layers[0](normals(9))[:, 2] == 0).all()


def test_too_few_z_for_a_deviation_are_refused(prior):
    with pytest.raises(SettingError, match="count=1 z tell no deviation: give 2 or more"):
        prior.measure(stream(0, "measured"), 1)


def test_faces_are_drawn_alone_and_folded_as_in_a_batch(prior):
    faces = prior(normals(4))
    assert torch.equal(prior(normals(4)), faces)
    torch.testing.assert_close(prior(normals(4)[:1]), faces[:1])
    torch.testing.assert_close(fold_batch_norms(prior)(normals(4)), faces)


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("steps", [0, 2])
def test_what_was_trained_comes_back_measured(faces, tmp_path, steps):
    trained = replace(TINY, steps=steps).fit(faces, folder=tmp_path)
    again = restore(tmp_path, "prior")
    assert isinstance(again, StylePrior)
    assert again.arguments == trained.arguments
    assert again.measured == 64
    assert torch.equal(again(normals(3)), trained(normals(3)))
    losses = (tmp_path / "warm" / "losses.jsonl").read_text().splitlines()
    assert {"step", "squared error", "divergence"} == set(json.loads(losses[0]))


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("stop", [2, 6])
def test_a_prior_that_is_not_measured_yet_is_not_taken(faces, tmp_path, monkeypatch, stop):
    """Neither in its warm start of four steps nor after it; and it goes on to the same end."""
    recipe = replace(TINY, steps=3)
    whole = recipe.fit(faces).state_dict()
    with monkeypatch.context() as patch:
        _stop_in_step(stop, patch)
        with pytest.raises(KeyboardInterrupt):
            recipe.fit(faces, folder=tmp_path)
    with pytest.raises(DataError, match="never measured, which is its training's last step: give"):
        restore(tmp_path, "prior")
    resumed = recipe.fit(faces, folder=tmp_path).state_dict()
    assert all(torch.equal(resumed[key], whole[key]) for key in resumed | whole)


def _stop_in_step(count: int, patch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the so-manieth step of both parts."""
    check, left = loop._refuse_divergence, [count]

    def interrupts(title: str, step: int, losses: loop.Losses) -> None:
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGINT)
        check(title, step, losses)

    patch.setattr(loop, "_refuse_divergence", interrupts)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_it_learns_in_mixed_precision(faces, tmp_path):
    """To draw sixteen faces of noise again; and a sheet of samples is there to look at."""
    recipe = replace(TINY, warm_epochs=20, warm_rate=1e-2, bfloat16=True)
    assert recipe.fit(faces, folder=tmp_path)(normals(8)).dtype == torch.float32
    rows = (tmp_path / "warm" / "losses.jsonl").read_text().splitlines()
    errors = [json.loads(row)["squared error"] for row in rows]
    assert sum(errors[-10:]) < 0.9 * sum(errors[:10])
    assert (tmp_path / "warm" / "samples-000040.png").exists()


def test_widths_of_another_size_than_the_faces_are_refused(faces):
    with pytest.raises(SettingError, match="make faces of 32 pixels, not of 64: give one width"):
        StyleTraining(5, WIDTHS[1:]).fit(faces)


def test_a_training_of_nothing_is_refused():
    with pytest.raises(SettingError, match="warm_epochs=0 and steps=0 of StyleTraining train no"):
        StyleTraining(warm_epochs=0)
