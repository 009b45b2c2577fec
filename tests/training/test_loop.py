"""The training loop: exact resume, whole checkpoints, refusals."""

import itertools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from facecrafter.errors import DataError, NumericalError, SettingError
from facecrafter.randomness import stream
from facecrafter.training import checkpoints, loop
from facecrafter.training.loop import Job, Losses, one_cycle, run, shuffled
from facecrafter.training.restore import seconds

STEPS = 6


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(loop, "curves", lambda *_: None)


def nothing(_: int) -> None:
    """Happens before a step."""


def job(before: Callable[[int], object] = nothing, recipe="recipe", rate=1e-2, steps=STEPS) -> Job:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimiser = torch.optim.Adam(network.parameters(), rate)

    def step(i: int) -> Losses:
        before(i)
        loss = network(torch.randn(16, 4, generator=stream(0, "batch", i))).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    return Job("tiny", steps, step, {"network": network}, {"adam": optimiser}, recipe)


def weights(made: Job) -> torch.Tensor:
    values = made.modules["network"].state_dict().values()
    return torch.cat([value.double().flatten() for value in values])


def whole() -> Job:
    made = job()
    run(made)
    return made


def interrupted(folder: Path, at: int) -> Job:
    """A training that Ctrl-C ended in step `at`."""
    made = job(lambda i: signal.raise_signal(signal.SIGINT) if i == at else None)
    with pytest.raises(KeyboardInterrupt):
        run(made, folder)
    return made


def test_does_all_steps_and_keeps_their_losses(tmp_path):
    done: list[int] = []
    made = job(done.append)
    run(made, tmp_path / "new" / "folder")
    assert done == list(range(STEPS))
    rows = (tmp_path / "new" / "folder" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(row) for row in rows] == made.history
    assert [row["step"] for row in made.history] == done


@pytest.mark.parametrize("at", range(STEPS - 1))
def test_ctrl_c_writes_a_checkpoint_that_resumes_exactly(tmp_path, at):
    stopped = interrupted(tmp_path, at)
    assert len(stopped.history) == at + 1
    done: list[int] = []
    again = job(done.append)
    run(again, tmp_path)
    assert done == list(range(at + 1, STEPS))
    assert torch.equal(weights(again), weights(whole()))
    assert again.history == whole().history


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def twice(_: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    made = job(twice)
    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path)
    assert made.history == []
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="forks and SIGKILL")
def test_killed_at_any_moment_ends_bit_equal(tmp_path):
    script = Path(__file__).with_name("killed.py")
    told = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["killed"] == [found["whole"]]
    assert found["kills"] > 20


def test_a_finished_training_is_not_repeated(tmp_path):
    first = job()
    run(first, tmp_path)
    done: list[int] = []
    again = job(done.append)
    run(again, tmp_path)
    assert done == []
    assert torch.equal(weights(again), weights(first))


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_a_torn_newest_checkpoint_falls_back_to_the_previous(tmp_path, cut):
    run(job(), tmp_path, every=0.0)
    newest = tmp_path / "checkpoint.safetensors"
    newest.write_bytes(newest.read_bytes()[:cut])
    done: list[int] = []
    again = job(done.append)
    run(again, tmp_path)
    assert done == [STEPS - 1]
    assert torch.equal(weights(again), weights(whole()))
    assert again.history == whole().history


def test_an_altered_checkpoint_is_not_used(tmp_path):
    run(job(), tmp_path, every=0.0)
    newest = tmp_path / "checkpoint.safetensors"
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    done: list[int] = []
    run(job(done.append), tmp_path)
    assert done == [STEPS - 1]


def test_a_torn_checkpoint_never_replaces_a_whole_one(tmp_path, monkeypatch):
    run(job(), tmp_path, every=0.0)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    previous, replace = tmp_path / "checkpoint.previous.safetensors", Path.replace
    before = previous.read_bytes()

    def fails(path: Path, to: Path) -> Path:
        if path.name == "checkpoint.partial":
            raise OSError(5, "Input/output error")
        return replace(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(OSError, match="Input/output error"):
            run(job(), tmp_path)
    assert previous.read_bytes() == before
    again = job()
    run(again, tmp_path)
    assert torch.equal(weights(again), weights(whole()))


def test_both_checkpoints_torn_begins_anew(tmp_path):
    run(job(), tmp_path, every=0.0)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    again = job()
    run(again, tmp_path)
    assert torch.equal(weights(again), weights(whole()))
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == STEPS


def test_losses_are_kept_through_an_interruption_and_a_torn_line(tmp_path):
    interrupted(tmp_path, 2)
    with (tmp_path / "losses.jsonl").open("a") as file:
        file.write('{"step": 3.0, "loss": 1.0}\n{"step": 4.0, "lo')  # killed before the checkpoint
    run(job(), tmp_path)
    rows = [json.loads(row) for row in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert rows == whole().history


def test_seconds_add_up_and_older_checkpoints_load(tmp_path, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    interrupted(tmp_path, 2)
    first = seconds(tmp_path)
    assert first
    run(job(), tmp_path)
    assert seconds(tmp_path) > first
    tensors, said = checkpoints.read(tmp_path)
    del said["seconds"], said["sha256"]
    (tmp_path / "old").mkdir()
    checkpoints.write(tmp_path / "old", tensors, {**said, "step": "4"})
    done: list[int] = []
    run(job(done.append), tmp_path / "old")
    assert done == [4, 5]
    assert seconds(tmp_path / "old") is None


def test_another_recipe_is_refused_and_its_checkpoint_kept(tmp_path):
    run(job(), tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(SettingError, match="another recipe:\n  recipe\nnot\n  other"):
        run(job(recipe="other"), tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_other_faces_or_networks_are_refused_and_named(tmp_path):
    first = resting(0, 0)
    run(first, tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    for one, other, told in ((1, 0, "net"), (0, 1, "start"), (1, 1, "net and start")):
        with pytest.raises(SettingError, match=f"not from the same {told}. Give another folder"):
            run(resting(one, other), tmp_path)
    with pytest.raises(SettingError, match="not from the same net and start"):
        run(job(), tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    again = resting(0, 0)
    run(again, tmp_path)
    assert torch.equal(weights(again), weights(first))
    assert torch.equal(weights(again), weights(whole()))  # it changes no number


def resting(one: int, other: int) -> Job:
    """A training that rests on two networks."""
    return replace(
        job(),
        rests_on={
            name: {"weight": torch.full((2, 2), float(value))}
            for name, value in (("net", one), ("start", other))
        },
    )


def older(folder: Path, *without: str) -> None:
    """Make the checkpoint one of a version that did not say all that is said today."""
    tensors, said = checkpoints.read(folder)
    kept = {key: value for key, value in said.items() if key not in without}
    checkpoints.write(folder, tensors, kept)


def test_an_older_checkpoint_resumes_with_a_warning(tmp_path, caplog):
    interrupted(tmp_path, 2)
    older(tmp_path, "rests on")
    again = resting(0, 0)
    run(again, tmp_path)
    assert "does not say which faces and networks" in caplog.text
    assert torch.equal(weights(again), weights(whole()))
    with pytest.raises(SettingError, match="not from the same start"):  # from now on it says
        run(resting(0, 1), tmp_path)


def test_an_older_checkpoint_of_another_shape_is_refused(tmp_path):
    interrupted(tmp_path, 2)
    older(tmp_path, "rests on")
    made = job()
    made.modules["network"][0] = nn.Linear(4, 9)
    with pytest.raises(SettingError, match="networks of another shape: give another folder"):
        run(made, tmp_path)


def test_a_loss_that_is_not_finite_ends_with_the_checkpoint_intact(tmp_path):
    interrupted(tmp_path, 2)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    made = job()
    inner = made.step
    made.step = lambda i: {"loss": float("nan")} if i == 4 else inner(i)
    with pytest.raises(NumericalError, match=r"tiny diverged at step 4.*Lower the learning rate"):
        run(made, tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """The loss of the last step is finite, what its gradient did is not."""
    made = job()
    inner = made.step

    def step(i: int) -> Losses:
        losses = inner(i)
        made.modules["network"][0].weight.data[0, 0] = torch.inf
        return losses

    made.step = step
    with pytest.raises(NumericalError, match="before step 1"):
        run(made, tmp_path, every=0.0)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def full_disk(_tensors: object, path: Path, _said: object) -> None:
    path.write_bytes(b"half of it")
    raise OSError(28, "No space left on device")


def full_disk_as_safetensors_says(tensors: object, path: Path, said: object) -> None:
    try:
        full_disk(tensors, path, said)
    except OSError as error:
        raise SafetensorError(f"I/O error: {error}") from error


@pytest.mark.parametrize("full", [full_disk, full_disk_as_safetensors_says])
def test_a_full_disk_keeps_the_earlier_checkpoint(tmp_path, monkeypatch, full):
    interrupted(tmp_path, 2)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full)
        with pytest.raises(OSError, match="No space left"):
            run(job(), tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert not (tmp_path / "checkpoint.partial").exists()
    again = job()
    run(again, tmp_path)
    assert torch.equal(weights(again), weights(whole()))
    assert again.history == whole().history


def test_nothing_to_train_is_said():
    with pytest.raises(DataError, match="tiny has 0 steps"):
        run(job(steps=0))


def test_trains_in_another_thread():
    made = job()
    thread = threading.Thread(target=run, args=(made,))
    thread.start()
    thread.join()
    assert torch.equal(weights(made), weights(whole()))


def test_dropout_does_not_depend_on_what_was_drawn_before():
    torch.rand(3)
    first, second = job(), job()
    run(first)
    torch.rand(7)
    run(second)
    assert torch.equal(weights(first), weights(second))


def test_every_epoch_is_a_new_order_of_all():
    batches = [shuffled(10, 3, i, lambda e: stream(0, e)) for i in range(6)]
    epochs = [torch.cat(batches[:3]).tolist(), torch.cat(batches[3:]).tolist()]
    for epoch in epochs:
        assert len(set(epoch)) == 9  # the last short batch is dropped
    assert epochs[0] != epochs[1]
    with pytest.raises(DataError, match="2 faces do not fill one batch of 3"):
        shuffled(2, 3, 0, lambda e: stream(0, e))


def test_one_cycle_goes_up_and_then_down():
    factors = [one_cycle(i, 100) for i in range(100)]
    top = factors.index(max(factors))
    assert 0.9 < factors[top] <= 1
    assert top == 10
    assert all(a < b for a, b in itertools.pairwise(factors[: top + 1]))
    assert all(a > b for a, b in itertools.pairwise(factors[top:]))
    assert 0 < factors[-1] < 1e-3
