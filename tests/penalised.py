"""What tests of games with a penalty share."""

import signal
from functools import cache

import pytest
import torch

from facecrafter.data.faces import Faces
from facecrafter.data.synthetic import synthetic
from facecrafter.defences.game import AbstractGame, AbstractPlayers, Batch
from facecrafter.models.part import frozen
from facecrafter.models.split import ResNet
from facecrafter.training import loop


def small_target(questions: int = 2) -> ResNet:
    torch.manual_seed(0)
    return frozen(ResNet(questions, 18, (8, 8, 8, 8)))


def batch_of(faces: Faces, count: int = 8) -> Batch:
    return Batch(faces.images(range(count)), torch.from_numpy(faces.attributes[:count]))


@cache
def painted() -> Faces:
    """Sixteen faces of four people."""
    return synthetic(4, people=4, photographs=4, size=64)


def penalty_after(game: AbstractGame) -> float:
    """L_privacy of a short game on painted faces that it learnt from."""
    faces = painted()
    players = game.play(small_target(len(faces.attribute_names)), faces)
    batch = batch_of(faces, 16)
    with torch.no_grad():
        features = players.release(batch.images)
        for side in players.attackers().values():
            side.train()  # a mixture remembers Enc as it was, until it has seen enough of this one
        return [players.privacy(features, batch).item() for _ in range(100)][-1]


def state_of(players: AbstractPlayers) -> dict[str, torch.Tensor]:
    sides = {"model": players.target, **players.attackers()}
    return {f"{s}/{k}": v for s, side in sides.items() for k, v in side.state_dict().items()}


def stop_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the so-manieth step."""
    check, left = loop._refuse_divergence, [count]

    def interrupts(*given: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGINT)
        check(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(loop, "_refuse_divergence", interrupts)
