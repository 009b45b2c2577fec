"""The scene as a defence leaves it that changes what the cloud deploys."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from facecrafter.data.faces import Faces
from facecrafter.defences.base import Offline
from facecrafter.defences.game import AbstractGame, AbstractPlayers, Deployed
from facecrafter.defences.taskless import AbstractTaskless
from facecrafter.errors import SettingError
from facecrafter.models.amortiser import Amortiser
from facecrafter.models.part import AbstractPart, frozen
from facecrafter.models.split import AbstractSplitModel
from facecrafter.paper.cells import Cell
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Store
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.head import HeadTraining

# what a basic attacker trains for an Enc that is not the bundle's; in the precision of the game
GUESS = AmortiserTraining(width=32, steps=2000)
INVERSE = DecoderTraining(width=64, epochs=10)
# what the cloud trains behind the Enc of a game that left f to it; likewise
ANSWERS = HeadTraining()


@dataclass(frozen=True, eq=False, kw_only=True)
class Redeployed(Scene):
    """Networks of a game in the place of the bundle's.

    Its digests are those of the scene that it was made from: the game's networks follow from that
    and from the recipe, which a cell has in its key. `GUESS`, `INVERSE` and `ANSWERS` are in no
    key: who changes them measures all games anew.
    """

    before: Scene
    game: AbstractGame[Any]

    @cached_property
    def unjudged(self) -> str:
        return self.before.unjudged

    @cached_property
    def digest(self) -> str:
        return self.before.digest

    def offline(self) -> Offline:
        return Deployed(self.target.encode, self.prior, game=self.game)


def redeployed(cell: Cell, scene: Scene, store: Store) -> Scene:
    """The scene that a cell's defence makes of this one; the same for most.

    Plays the game, and trains what a basic attacker needs against it, in the store's folder of
    work: a killed run goes on, and all attacks on one defence share them. Raises `SettingError`
    for a scene without private train faces.
    """
    game = cell.defence
    if not isinstance(game, AbstractGame):
        return scene
    folder = _folder(cell, scene, store)
    players = _played(game, cell, scene, folder)
    answers = replace(ANSWERS, bfloat16=game.bfloat16)
    made = _with(_deployed(players, answers, scene, cell.seed, folder / "f"), scene, game)
    shadow = _inverse(players, made, cell.seed, folder / "decoder")
    made = replace(made, shadows=(shadow,))
    if cell.threat.sees == "black-box":
        return made
    guess = frozen(_guess(made, cell.seed, folder / "amortiser"))
    return replace(made, bundle=replace(made.bundle, amortiser=guess))


def encoding(cell: Cell, scene: Scene, store: Store) -> Scene:
    """The scene with the Enc of a cell's game, and no more: nobody attacks, and f is as it may be.

    For a cloud that trains an f of its own. Else as `redeployed`, whose game it shares.
    """
    game = cell.defence
    if not isinstance(game, AbstractGame):
        return scene
    players = _played(game, cell, scene, _folder(cell, scene, store))
    return _with(players.target, scene, game)


def _folder(cell: Cell, scene: Scene, store: Store) -> Path:
    return store.work / "games" / cell.deployment(scene.unjudged)[:16]


def _played(game: AbstractGame[Any], cell: Cell, scene: Scene, folder: Path) -> AbstractPlayers:
    """Raises `SettingError` for a scene without private train faces."""
    if scene.private_train is None:
        raise SettingError(
            f"scene {scene.name!r} has no private train faces, which {type(game).__name__} learns "
            "from: give them as `private_train`."
        )
    target, faces = scene.bundle.need("target"), scene.private_train
    return game.play(target, faces, cell.seed, folder / "game", scene.device)


def _with(target: AbstractSplitModel, scene: Scene, game: AbstractGame[Any]) -> Redeployed:
    """Nothing is left that was trained for the bundle's Enc."""
    held = {"target": frozen(target), "decoder": None, "amortiser": None, "surrogate": None}
    own: dict[str, Any] = {part.name: getattr(scene, part.name) for part in fields(scene)}
    own |= {"bundle": replace(scene.bundle, **held), "shadows": ()}
    return Redeployed(**own, before=scene, game=game)


def _deployed(
    players: AbstractPlayers, training: HeadTraining, scene: Scene, seed: int, folder: Path
) -> AbstractSplitModel:
    """Enc with the f of the game, or, where it knew no task, with one that the cloud trains.

    Raises `SettingError` where that needs public faces, and the scene has none.
    """
    if not isinstance(players, AbstractTaskless):
        return players.target
    return training.fit(players.target, _public(scene, "f"), seed, folder, scene.device)


def _inverse(players: AbstractPlayers, scene: Redeployed, seed: int, folder: Path) -> AbstractPart:
    """The basic black-box attacker's decoder: that of the game, or, where it has none, a fresh one.

    Raises `SettingError` where that needs public faces, and the scene has none.
    """
    if players.inverse is not None:
        return frozen(players.inverse)
    target = scene.bundle.need("target")
    training = replace(INVERSE, bfloat16=scene.game.bfloat16)
    given = scene.target.encode, _public(scene, "a decoder"), seed, folder, scene.device
    made = training.fit(*given, unfolded={"target": target})
    assert isinstance(made, AbstractPart)
    return frozen(made)


def _guess(scene: Redeployed, seed: int, folder: Path) -> Amortiser:
    """Where the white-box attacker's search begins; who sees no Enc has none."""
    return replace(GUESS, bfloat16=scene.game.bfloat16).fit(
        scene.target.encode,
        scene.prior,
        seed,
        folder,
        scene.device,
        unfolded={"target": scene.bundle.need("target"), "prior": scene.bundle.need("prior")},
    )


def _public(scene: Scene, what: str) -> Faces:
    if scene.public is None:
        raise SettingError(f"scene {scene.name!r} has no public faces to train {what} on.")
    return scene.public
