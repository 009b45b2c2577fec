"""The benchmarks count right, and run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import cost
import craft
import quality
import scaling
import series
from cost import timed, work_of
from craft import Craft
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.noise import Noise
from facecrafter.defences.opponents import LatentOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.privacy import AssignedDistance, CriticDistance
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import ResultError, SettingError
from facecrafter.implicit import Lanczos, Neumann
from facecrafter.inversion import Descent, Momentum
from facecrafter.models.split import ResNet
from facecrafter.paper.cells import Cell
from facecrafter.paper.measure import measure
from facecrafter.paper.store import Store
from facecrafter.paper.threats import Threat
from facecrafter.paper.tiny import tiny
from helpers import tiny_offline
from linear_networks import linear_network, photographs
from passes import Operations, counting
from quality import Quality, as_good, attacked, stored
from series import Series
from small_bundle import make_bundle


def paper(search: int, products: int, steps: int) -> Crafter:
    """The published algorithm, shortened."""
    walk = Momentum(search, 1e-4)
    opponent = LatentOpponent(
        begin_with=walk, follow=walk, start="random", solver=Neumann(products, 1e-4)
    )
    return Crafter(1.0, steps, opponent, AssignedDistance(blur=2))


def test_passes_of_algorithm_1() -> None:
    """Enc(X) once; then each step a search, and one J v and one J' u for each product."""
    search, products, steps = 5, 3, 2
    work = work_of(paper(search, products, steps), linear_network().offline(), photographs(4))
    # the search looks once more at where it ends; the products begin with one forward pass
    assert work.passes["Enc forward"] == 1 + steps * (search + 1 + 1)
    # the series has one product more than terms, and p' d2 L / dz dF is a product J v
    assert work.passes["Enc JVP"] == work.passes["G JVP"] == steps * (products + 1 + 1)
    assert work.passes["Enc backward"] == steps * (search + 1 + products + 1)
    assert work.passes["G backward"] == work.passes["Enc backward"] + steps  # line 10


def test_passes_of_the_default() -> None:
    """A pass forwards and one backwards for each step, Enc(X) before and F_X after."""
    passes = work_of(Crafter(), linear_network().offline(), photographs(4)).passes
    assert passes == {"G forward": 1, "Enc forward": 42, "Enc backward": 40}


def test_few_products_leave_the_other_passes_alone() -> None:
    few = replace(paper(5, 3, 2).opponent, solver=Lanczos(1, 3, 1e-4))
    offline, images = linear_network().offline(), photographs(4)
    many = work_of(paper(5, 3, 2), offline, images).passes
    fewer = work_of(replace(paper(5, 3, 2), opponent=few), offline, images).passes
    assert fewer["Enc forward"] == many["Enc forward"]
    assert fewer["Enc JVP"] == 2 * (1 + 1)


def test_what_many_steps_cost_is_told_from_two() -> None:
    offline, images = linear_network().offline(), photographs(2)
    told = work_of(Crafter(steps=7), offline, images)
    with counting(offline) as (watched, passes), Operations() as operations:
        protector = Crafter(steps=7).fit(watched, torch.Generator())
        protector(images, torch.Generator())
    assert {name: count / 2 for name, count in passes.items()} == told.passes
    assert operations.total / 2 == told.operations


def test_a_critic_and_a_surrogate_are_counted() -> None:
    offline = tiny_offline()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    critic = CriticDistance(steps=3, minibatch=2, width=4)
    recipe = Crafter(1.0, 1, distance=critic, utility=TaskUtility())
    passes = work_of(recipe, offline, images).passes
    # mine, theirs and between them in each training step; then L_p itself
    assert passes["D forward"] == 3 * 3 + 1
    assert passes["D twice"] == 3
    assert passes["D backward"] == 3 * 2 + 1
    assert passes["surrogate forward"] == 1 + 1  # of Enc(X), and in the step
    assert passes["surrogate backward"] == 1


def test_each_rung_of_the_ladder_changes_one_part() -> None:
    published, few, assigned, carried = (r.recipe for r in craft.ladder() if r.published)
    assert published == Crafter.as_published(craft.AUTHORS_BETAS[0])
    assert isinstance(published.opponent, LatentOpponent)
    assert isinstance(few.opponent, LatentOpponent)
    assert isinstance(carried.opponent, LatentOpponent)
    solver = published.opponent.solver
    assert few == replace(
        published, opponent=replace(published.opponent, solver=few.opponent.solver)
    )
    assert replace(few.opponent, solver=solver) == published.opponent
    assert assigned == replace(few, distance=assigned.distance)
    assert carried == replace(assigned, opponent=carried.opponent)
    back = replace(carried.opponent, follow=few.opponent.follow, start="amortiser")
    assert back == few.opponent


def test_operations_are_those_of_the_formula() -> None:
    with Operations() as operations:
        torch.nn.functional.conv2d(torch.ones(2, 3, 8, 8), torch.ones(5, 3, 3, 3), padding=1)
        torch.ones(4, 6) @ torch.ones(6, 7)
    assert operations.total == 2 * (2 * 5 * 8 * 8 * 3 * 9) + 2 * (4 * 6 * 7)


def test_a_part_of_the_steps_is_multiplied_and_releases_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What precedes the first step, 10 s here, is not multiplied."""
    times = iter([0.0, 12.0, 14.0, 16.0, 16.0])
    monkeypatch.setattr(cost, "now", lambda _: next(times))
    done = timed(Crafter(steps=7), linear_network().offline(), photographs(4), 3)
    assert done.seconds == (10 + 7 * 2) / 4
    assert (done.ran, done.features) == (3, None)


def test_all_steps_are_timed_and_release() -> None:
    whole = timed(Crafter(steps=4), linear_network().offline(), photographs(4))
    assert (whole.ran, whole.seconds > 0) == (4, True)
    assert whole.features is not None


def test_memory_is_that_of_the_block() -> None:
    with cost.peak(torch.device("cpu")) as held:
        assert torch.ones(8 * 2**20).sum() > 0  # 32 MiB
    assert held.mebibytes is None or 30 < held.mebibytes < 60


def test_memory_that_no_one_tells_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "write_text", refuse)
    with cost.peak(torch.device("cpu")) as held:
        pass
    assert held.mebibytes is None


@pytest.mark.parametrize(
    ("ours", "good"),
    [
        (Quality({"white-box": 0.10, "hybrid": 0.21}, 1.0, 0.896, ""), True),
        (Quality({"white-box": 0.10, "hybrid": 0.22}, 1.0, 0.95, ""), False),
        (Quality({"white-box": 0.05, "hybrid": 0.05}, 1.0, 0.894, ""), False),
    ],
)
def test_as_good_is_both_private_and_useful(ours: Quality, good: bool) -> None:
    theirs = Quality({"white-box": 0.20, "hybrid": 0.05}, 0.5, 0.9, "")
    assert as_good(ours, theirs) is good


SHORT = (Threat("white-box", LatentSearch(Descent(2, 0.1), restarts=2)),)


def test_quality_measured_now_is_that_of_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, store = tiny(), Store(tmp_path / "results", tmp_path / "work")
    monkeypatch.setattr(quality, "THREATS", SHORT)
    assert stored(store, scene.name, Plain()) is None
    record = measure(Cell(scene.name, Plain(), SHORT[0], 0), scene, store)
    kept = stored(store, scene.name, Plain())
    with torch.no_grad():
        raw = scene.target.encode(scene.images(range(9)))
    now = attacked(scene, SHORT, raw)
    assert kept is not None
    assert replace(kept, source="now") == now
    assert kept.eval_acc == {"white-box": record.outcome["eval_acc"]}
    assert (kept.l_u, now.source) == (0, "now")
    assert stored(store, scene.name, Noise(1.0)) is None


def short_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick enough for a test."""
    slow = replace(paper(2, 1, 4), beta=craft.AUTHORS_BETAS[0])
    fast = Crafter(steps=2)
    monkeypatch.setattr(
        craft,
        "SETTINGS",
        (
            craft.Setting("published", slow, (slow, replace(slow, beta=0.5)), published=True),
            craft.Setting("default", fast, (fast, replace(fast, beta=1.0))),
        ),
    )


def test_the_benchmark_runs_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short_ladder(monkeypatch)
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- craft: written -->\nold\n<!-- /craft -->\nafter\n")
    bundle = make_bundle(tmp_path / "bundle")
    Craft(bundle=bundle, quick=True, steps=1, page=page, results=tmp_path).run()
    out = capsys.readouterr().out
    assert "Of the 4 steps of `published` 1 were run" in out
    assert re.fullmatch(r"speed-up: [\d,]+ x .* quality: no \(not measured.*", out.splitlines()[-1])
    text = page.read_text()
    assert "| passes, Enc JVP | " in text
    assert "old" not in text
    assert text.startswith("before\n<!-- craft: written -->\n")
    assert text.endswith("<!-- /craft -->\nafter\n")


def quality_of(white: float, auc: float) -> Quality:
    return Quality({"white-box": white, "hybrid": 0.1}, 0.5, auc, "results, commit abc")


@pytest.mark.parametrize(
    ("qualities", "answer"),
    [
        # published at two betas, the first of which hides nothing, then ours at two
        (
            (
                quality_of(0.9, 0.99),
                quality_of(0.2, 0.9),
                quality_of(0.1, 0.8),
                quality_of(0.2, 0.9),
            ),
            "yes (beta 1 of 2 tried against published beta 0.5)",
        ),
        (
            (
                quality_of(0.9, 0.9),
                quality_of(0.2, 0.9),
                quality_of(0.3, 0.9),  # reaches the first, which counts for nothing
                quality_of(0.1, 0.8),
            ),
            "no (none of 2 betas against published beta 0.5)",
        ),
    ],
)
def test_the_last_line_is_the_verdict(
    qualities: tuple[Quality, ...],
    answer: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_ladder(monkeypatch)
    told = iter(qualities)
    monkeypatch.setattr(craft, "stored", lambda *_: next(told))
    Craft(bundle=make_bundle(tmp_path / "bundle"), quick=True, steps=1).run()
    out = capsys.readouterr().out
    assert f"quality: {answer}" in out.splitlines()[-1]
    assert "| default | 1 | " in out
    assert "results, commit abc" in out


def test_pages_without_marks_are_refused_before_the_work(tmp_path: Path) -> None:
    for page in (tmp_path / "none.md", tmp_path / "empty.md"):
        (tmp_path / "empty.md").write_text("nothing")
        with pytest.raises(ResultError, match="no block 'craft'"):
            Craft(page=page).run()


@pytest.mark.parametrize("command", [Craft(quick=True, full=True), Craft(full=True)])
def test_full_needs_a_whole_batch_of_faces(command: Craft) -> None:
    with pytest.raises(SettingError, match="--full attacks a whole batch"):
        command.run()


@pytest.mark.parametrize(
    "command",
    [Craft(steps=0), scaling.Scaling(steps=0), scaling.Scaling(steps=41), Series(faces=0)],
)
def test_counts_out_of_range_are_refused(command: Craft | scaling.Scaling | Series) -> None:
    with pytest.raises(SettingError, match="--"):
        command.run()


def test_few_products_are_held_against_the_series(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Series(bundle=make_bundle(tmp_path / "bundle"), faces=2).run()
    out = capsys.readouterr().out
    assert out.startswith("alpha x lambda_max over 2 faces: ")
    greatest = [float(line.split("|")[3]) for line in out.splitlines() if "e-" in line]
    assert len(greatest) == len(series.PRODUCTS)
    assert greatest[-1] < 1e-4


@pytest.mark.parametrize("size", scaling.SIZES, ids=lambda size: size.name)
def test_rows_of_table_7_have_the_features_that_they_are_named_after(size: scaling.Size) -> None:
    feature = scaling.made(size, 4, "cpu").encode(scaling.some(size, 1, "cpu"))
    assert " x ".join(map(str, feature.shape[1:])) == size.name


def test_growth_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = scaling.Size("8 x 16 x 16", lambda: ResNet(2, widths=(8, 8, 8, 8)), 8, 64, 27.15)
    monkeypatch.setattr(scaling, "SIZES", (small,))
    monkeypatch.setattr(scaling, "LATENTS", (4, 8))
    page = tmp_path / "performance.md"
    page.write_text("<!-- scaling -->\n<!-- /scaling -->\n<!-- table7 -->\n<!-- /table7 -->\n")
    scaling.Scaling(steps=2, largest=2, page=page).run()
    text = page.read_text()
    assert text.count("| 8 x 16 x 16 | 64 | ") == 3  # two batches, and the row of Table VII
    assert "| 27.15 |" in text
    assert (tmp_path / "figures/scaling.svg").read_text().startswith("<?xml")
    lines = (tmp_path / "figures/scaling.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 + 2


def test_the_floor_is_the_work_at_the_peak() -> None:
    work, done = cost.Work({}, 6e9), cost.Timed(3.0, None, 40, None)
    point = scaling.Point(scaling.SIZES[0], 2, 4, work, done, 2e9)
    assert point.floor == 3.0
    assert 0 < point.least < 1
    assert "nan" in scaling.rows([point])
