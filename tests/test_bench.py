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
import sizes
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
from facecrafter.paper.threats import THREATS, Threat
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
    """What precedes the first step, 10 s here, is not multiplied, nor F_X after the last, 1 s."""
    times = iter([0.0, 12.0, 14.0, 16.0, 17.0])
    monkeypatch.setattr(cost, "now", lambda _: next(times))
    done = timed(Crafter(steps=7), linear_network().offline(), photographs(4), 3)
    assert done.seconds == (10 + 7 * 2 + 1) / 4
    assert (done.ran, done.features) == (3, None)


def test_all_steps_are_timed_and_release() -> None:
    whole = timed(Crafter(steps=4), linear_network().offline(), photographs(4))
    assert (whole.ran, whole.seconds > 0) == (4, True)
    assert whole.features is not None


def test_memory_is_that_of_the_block() -> None:
    with cost.peak(torch.device("cpu")) as held:
        assert torch.ones(8 * 2**20).sum() > 0  # 32 MiB
    if held.mebibytes is None:
        pytest.skip("nobody tells the memory of a process here")
    assert 30 < held.mebibytes < 60


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
    assert stored(store, scene.name, Plain(), scene.digest) == kept
    assert stored(store, scene.name, Plain(), "another scene") is None
    other = measure(Cell(scene.name, Noise(1.0), SHORT[0], 0), scene, store).outcome
    again = measure(Cell(scene.name, Noise(1.0), SHORT[0], 1), scene, store).outcome
    both = stored(store, scene.name, Noise(1.0))
    assert both is not None
    assert both.l_u == (other["l_u"] + again["l_u"]) / 2
    assert other["l_u"] != again["l_u"]
    assert both.source == "results, 2 seeds"
    assert both.seeds[0].l_u == other["l_u"]
    assert kept.seeds == ()


def test_of_several_seeds_the_strongest_attack_is_that_of_each() -> None:
    one = Quality({"white-box": 0.4, "black-box": 0, "hybrid": 0.2}, 0.5, 0.91, "")
    other = Quality({"white-box": 0.2, "black-box": 0, "hybrid": 0.6}, 0.5, 0.89, "")
    both = Quality({"white-box": 0.3, "black-box": 0, "hybrid": 0.4}, 0.5, 0.90, "", (one, other))
    assert (one.worst, both.worst) == (0.4, 0.5)  # not 0.4, the greater of the means
    assert both.spread(lambda q: q.auc) == pytest.approx(0.01)
    assert one.spread(lambda q: q.auc) == 0
    assert not as_good(both, replace(one, auc=0.9))
    (line,) = craft.qualities([column_of(both)], None)[0].splitlines()[2:]
    assert "| 50.0 ± 10.0 % | 0.500 | 0.900 ± 0.010 |" in line


def column_of(quality: Quality) -> craft.Column:
    """Of a table in which nothing else is told."""
    setting = craft.Setting("default", Crafter())
    return craft.Column(
        setting, cost.Work({}, 1.0), cost.Timed(1.0, None, 40, None), {1.0: quality}
    )


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
    Craft(bundle=bundle, quick=True, page=page, results=tmp_path).run()
    out = capsys.readouterr().out
    assert "8 synthetic faces" in out
    assert "Of 4 steps 3 were run, and multiplied: `published`." in out
    assert "The quality is not measured" in out
    last = out.splitlines()[-1]
    assert re.fullmatch(r"speed-up: [\d,]+ x at equal-or-better quality: no", last)
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
            "yes",
        ),
        (
            (
                quality_of(0.9, 0.9),
                quality_of(0.2, 0.9),
                quality_of(0.3, 0.9),  # reaches the first, which counts for nothing
                quality_of(0.1, 0.8),
            ),
            "no",
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
    bundle, told = make_bundle(tmp_path / "bundle"), iter((*qualities, quality_of(0.93, 0.95)))
    monkeypatch.setattr(craft, "stored", lambda *_: next(told))
    monkeypatch.setattr(craft, "DEFAULT", bundle)  # of another bundle nothing is read
    monkeypatch.setattr(craft, "THREATS", [t for t in THREATS if t.name != "black-box"])
    Craft(bundle=bundle, quick=True).run()
    out = capsys.readouterr().out
    assert "against the published settings at beta 0.5" in out
    assert out.splitlines()[-1].endswith(f"quality: {answer}")
    assert "| no defence |  | " in out
    assert "| default | 1 | " in out
    assert "results, commit abc" in out


def test_nothing_is_told_where_the_published_settings_hide_nothing() -> None:
    theirs, ours = {4.0: quality_of(0.925, 0.9), 0.5: quality_of(0.93, 0.9)}, quality_of(0.1, 0.95)
    told, answers = craft.answers(theirs, [{1.0: ours}], quality_of(0.93, 0.95))
    assert "hide nothing" in told
    assert answers == [False]
    told, answers = craft.answers(theirs, [{1.0: ours}], quality_of(0.95, 0.95))
    assert "at beta 4" in told
    assert answers == [True]


def test_full_attacks_what_was_crafted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours at each beta, and no defence, here and now; on a CPU not what was not run in full."""
    short_ladder(monkeypatch)
    scene = tiny()
    faces = scene.images(range(len(scene.private_test)))
    what = craft.What("tiny", scene.offline(), faces, scene)
    monkeypatch.setattr(craft, "THREATS", SHORT)
    monkeypatch.setattr(craft, "threats", lambda decoders: SHORT)
    monkeypatch.setattr(Craft, "_what", lambda _: what)
    Craft(full=True, root=tmp_path, results=tmp_path).run()
    measured = [line for line in capsys.readouterr().out.splitlines() if line.endswith("| now |")]
    names = [line.split("|")[1:3] for line in measured]
    assert names == [[" no defence ", "  "], [" default ", " 0.0025 "], [" default ", " 1 "]]


def test_the_papers_sizes_are_timed_without_a_bundle(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short_ladder(monkeypatch)
    monkeypatch.setattr(craft, "SIZES", (SMALL,))
    Craft(paper_size=True, faces=3).run()
    assert "3 images of noise, untrained networks" in capsys.readouterr().out


def test_pages_without_marks_are_refused_before_the_work(tmp_path: Path) -> None:
    for page in (tmp_path / "none.md", tmp_path / "empty.md"):
        (tmp_path / "empty.md").write_text("nothing")
        with pytest.raises(ResultError, match="no block 'craft'"):
            Craft(page=page).run()


def test_a_bundle_without_a_surrogate_is_missed_before_the_long_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offline = replace(tiny_offline(), surrogate=None)
    monkeypatch.setattr(Craft, "_what", lambda _: craft.What("", offline, torch.rand(2, 3, 64, 64)))
    knowing = craft.Setting("with TaskUtility", Crafter(steps=2, utility=TaskUtility()))
    monkeypatch.setattr(craft, "SETTINGS", (craft.Setting("plain", Crafter(steps=2)), knowing))
    monkeypatch.setattr(craft, "timed", lambda *_: pytest.fail("long work"))
    with pytest.raises(SettingError, match="needs a surrogate"):
        Craft(quick=True).run()


@pytest.mark.parametrize("command", [Craft(quick=True, full=True), Craft(full=True)])
def test_full_needs_a_whole_batch_of_faces(command: Craft) -> None:
    with pytest.raises(SettingError, match="--full attacks a whole batch"):
        command.run()


@pytest.mark.parametrize(
    "command",
    [
        Craft(steps=2),
        Craft(faces=0),
        Craft(paper_size=True, root=Path()),
        Craft(faces=64, root=Path()),
        scaling.Scaling(steps=0),
        scaling.Scaling(steps=41),
        Series(faces=0),
    ],
)
def test_counts_out_of_range_are_refused(command: Craft | scaling.Scaling | Series) -> None:
    with pytest.raises(SettingError, match="--"):
        command.run()


def test_few_products_are_held_against_the_series(capsys: pytest.CaptureFixture[str]) -> None:
    """With the trained networks: with untrained ones a single product would do."""
    Series(bundle=Path(__file__).parents[1] / "bundles" / "lfw64", faces=2).run()
    out = capsys.readouterr().out
    assert out.startswith("alpha x lambda_max over 2 faces: ")
    greatest = [float(line.split("|")[3]) for line in out.splitlines() if "e-" in line]
    assert len(greatest) == len(series.PRODUCTS)
    assert greatest[0] > 1e-3
    assert greatest[-1] < 1e-4


@pytest.mark.parametrize("size", sizes.SIZES, ids=lambda size: size.name)
def test_rows_of_table_7_have_the_features_that_they_are_named_after(size: sizes.Size) -> None:
    feature = sizes.made(size, 4, "cpu").encode(sizes.some(size, 1, "cpu"))
    assert " x ".join(map(str, feature.shape[1:])) == size.name


SMALL = sizes.Size("8 x 16 x 16", lambda: ResNet(2, widths=(8, 8, 8, 8)), 8, 64, 27.15)
MARKS = "<!-- scaling -->\n<!-- /scaling -->\n<!-- table7 -->\n<!-- /table7 -->\n"


def test_growth_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SIZES", (SMALL,))
    monkeypatch.setattr(scaling, "LATENTS", (4, 8))
    page = tmp_path / "performance.md"
    page.write_text(MARKS)
    scaling.Scaling(steps=2, largest=2, page=page).run()
    text = page.read_text()
    assert text.count("| 8 x 16 x 16 | 64 | ") == 2  # two batches
    assert "<!-- table7 -->\n<!-- /table7 -->" in text  # not without the published settings
    assert (tmp_path / "figures/scaling.svg").read_text().startswith("<?xml")
    lines = (tmp_path / "figures/scaling.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 + 2


def test_table_7_holds_the_published_settings_against_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "SIZES", (SMALL,))
    monkeypatch.setattr(scaling, "LATENTS", (4,))
    monkeypatch.setattr(Crafter, "as_published", lambda elements: paper(2, 1, 4))
    page = tmp_path / "performance.md"
    page.write_text(MARKS)
    scaling.Scaling(steps=2, largest=1, published=True, page=page).run()
    row = r"\| 8 x 16 x 16 \| 64 \| 27.15 \| [\d.]+ \| [\d.]+ \| \d+ \|"
    assert re.search(row, page.read_text())


def test_the_floor_is_the_work_at_the_peak() -> None:
    work, done = cost.Work({}, 6e9), cost.Timed(3.0, None, 40, None)
    point = scaling.Point(sizes.SIZES[0], 2, 4, work, done, 2e9)
    assert point.floor == 3.0
    assert 0 < point.least < 1
    assert "nan" in scaling.rows([point])
