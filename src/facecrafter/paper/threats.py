"""The paper's three attackers by name (VI-A): white-box, black-box, hybrid; and A1."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from facecrafter.attacks.adaptive import AbstractAdaptive
from facecrafter.attacks.answered import Answered
from facecrafter.attacks.averaged import Averaged
from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.consensus import Consensus
from facecrafter.attacks.continued import Continued
from facecrafter.attacks.deep_image_prior import DeepImagePrior
from facecrafter.attacks.identified import Identified
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.null_space import NullSpace
from facecrafter.attacks.other_prior import OtherPrior
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.purified import Purified
from facecrafter.attacks.retrained import Retrained
from facecrafter.attacks.rmle import Rmle
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.attacks.where_sent import WhereSent
from facecrafter.inversion import Descent
from facecrafter.paper.scenes import Sees
from facecrafter.training.continued import Continuation
from facecrafter.training.decoder import DecoderTraining

RESTARTS = 3  # ours; paper: 1


@dataclass(frozen=True)
class Threat:
    """An attack, and what its attacker may read."""

    name: str
    attack: AbstractAttack
    sees: Sees = field(default="white-box")

    @property
    def itself(self) -> AbstractAttack:
        """The attack, once its attacker has learnt what he can."""
        return self.attack.itself if isinstance(self.attack, AbstractAdaptive) else self.attack


def threats(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """All three. `decoders` is how many shadow decoders the attacker has."""
    # As the bundled decoders were trained; the bundle's own had 15 epochs.
    training = DecoderTraining(width=64, epochs=10, bfloat16=True)
    decoder = ShadowDecoder(restarts=decoders, training=training)
    # ours: as far as the paper's 150 steps at 0.005, in a third of the passes
    heat, pixels = Descent(10, 0.0125), Descent(40, 0.0125)
    return (
        Threat("white-box", LatentSearch(restarts=restarts, bfloat16=True)),
        Threat("black-box", decoder, "black-box"),
        Threat("hybrid", PixelSearch(decoder, pixels, heat, restarts=restarts, bfloat16=True)),
    )


TWICE = ", twice the steps"  # ends the name of a control


def controls(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """The basic searches with twice the steps: what gains by them had not converged."""
    white, _, hybrid = threats(restarts, decoders)
    return tuple(
        replace(one, name=one.name + TWICE, attack=_longer(one)) for one in (white, hybrid)
    )


def _longer(threat: Threat) -> AbstractAttack:
    attack = threat.attack
    assert isinstance(attack, LatentSearch | PixelSearch)
    assert isinstance(attack.search, Descent)
    assert isinstance(attack.heat, Descent)
    search, heat = (replace(one, steps=2 * one.steps) for one in (attack.search, attack.heat))
    return replace(attack, search=search, heat=heat)


def adaptive(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """A1: the paper's, white-box and black-box (Figs. 11 and 12), and stronger ones of ours.

    There is no hybrid one of the paper's kind: a search for pixels that explain F* ends at what was
    crafted, wherever it begins. Behind a purifier there is.
    """
    basic = threats(restarts, decoders)
    white, *_ = basic
    decoder = ShadowDecoder(restarts=1)  # the mean of all that went on learning
    training = Continuation(epochs=20, bfloat16=True)  # ours
    prior = replace(training, optimiser="RMSProp")  # paper, App. G
    deep = Retrained(training=training, perceptual=0.1)  # ours
    cleaned = [Purified(one.attack, training) for one in basic]
    goes_on = Continued(decoder, "decoders", training)
    told = Identified(training=training, perceptual=0.1)
    agreed = Consensus((goes_on, deep, told, *cleaned), people=told.people)
    return (
        Threat("white-box A1", Continued(white.attack, "prior", prior, bfloat16=True)),
        Threat("black-box A1", goes_on, "black-box"),
        Threat("deep decoder A1", deep),
        Threat("answers alone A1", Answered(reader=replace(deep, width=256))),
        *(
            Threat(f"purified {one.name} A1", attack, one.sees)
            for one, attack in zip(basic, cleaned, strict=True)
        ),
        Threat("identity decoder A1", told),
        Threat("consensus A1", agreed),
    )


def asking(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """A3: the basic white-box and black-box attack, and both on the mean of five releases.

    No hybrid one: Table V has none, and it costs as much as all others together.
    """
    white, black, _ = threats(restarts, decoders)
    kinds = {
        "A3": Averaged(white.attack),
        "A3, matched": Averaged(white.attack, match=True),
        "A3, near": Averaged(white.attack, near=True),
    }
    return (
        white,
        black,
        *(
            replace(one, name=f"{one.name} {kind}", attack=replace(again, attack=one.attack))
            for kind, again in kinds.items()
            for one in (white, black)
        ),
    )


def other(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """Searches that the paper does not have, of a basic attacker."""
    *_, hybrid = threats(restarts, decoders)
    assert isinstance(hybrid.attack, PixelSearch)
    return (
        Threat("null space", NullSpace(hybrid.attack)),
        Threat("rMLE", Rmle(bfloat16=True)),
        Threat("deep image prior", DeepImagePrior(batch=64)),
    )


# paper, Fig. 15: generator, latents; Table VIII: the same, with a tenth of the private photographs;
# the last is style-based and searched as in MIRROR
PRIORS = ("G1-200", "G1-300", "G1-400", "G1-500", "G2-500", "G1-500-exposed", "style")


def elsewhere(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """A2: the basic white-box attack, and the same with other generators than the device's."""
    white, *_ = threats(restarts, decoders)
    return (white, *(searching(name, restarts) for name in PRIORS))


def searching(prior: str, restarts: int = RESTARTS) -> Threat:
    """A2 with the attacker's generator of that name."""
    # ours: more steps than `white`, whose first start is an amortiser's guess
    search = LatentSearch(Descent(80, 0.3), restarts=restarts, bfloat16=True)
    return Threat(f"white-box A2, {prior}", OtherPrior(prior, search))


ONE_DECODER = ", one decoder"  # ends the name of an attack that has no more


def playing(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """The basic attacks with one decoder, and those A1 that begin with it or from fresh weights.

    Against a game the one decoder is that of the game: what it learnt to read the defender learnt
    to hide. The last two are for defences that drop values.
    """
    white, *with_decoder = threats(restarts, 1)
    black, hybrid = (replace(one, name=one.name + ONE_DECODER) for one in with_decoder)
    kinds = {one.name: one for one in adaptive(restarts, decoders)}
    return (
        white,
        black,
        hybrid,
        kinds["black-box A1"],
        kinds["deep decoder A1"],
        *(_where_sent(one) for one in (white, hybrid)),
    )


WHERE_SENT = ", where sent"  # ends the name of a search that leaves out what is 0


def _where_sent(threat: Threat) -> Threat:
    assert isinstance(threat.attack, LatentSearch | PixelSearch)
    return replace(threat, name=threat.name + WHERE_SENT, attack=WhereSent(threat.attack))


FEWER = (500, 1000, 2000)  # public faces of the learning curve, below `Continued.faces`; ours
LONGER = (5, 10, 40, 80)  # epochs of the learning curve, beside the 20 of `adaptive`; ours


def learning(restarts: int = RESTARTS, decoders: int = RESTARTS) -> tuple[Threat, ...]:
    """A1 with the small and with the deep decoder, on fewer pairs, and for fewer and more epochs.

    Of each the one of `adaptive` comes first (Figs. 11 to 13 have epochs alone).
    """
    return tuple(
        one
        for full in adaptive(restarts, decoders)
        if full.name in ("black-box A1", "deep decoder A1")
        for one in (full, *_with_less(full), *_for_longer(full))
    )


def pairs_of(threat: Threat) -> int:
    """How many pairs an adaptive attacker learns from."""
    attack = threat.attack
    assert isinstance(attack, AbstractAdaptive)
    return attack.faces * attack.rounds


def epochs_of(threat: Threat) -> int:
    """How many epochs a decoder learns for."""
    attack = threat.attack
    assert isinstance(attack, Continued | Retrained)
    return attack.training.epochs * attack.training.legs


def _with_less(full: Threat) -> Iterator[Threat]:
    assert isinstance(full.attack, Continued | Retrained)
    for faces in FEWER:
        attack = replace(full.attack, faces=faces)
        name = f"{full.name}, {faces * attack.rounds:,} pairs"
        yield replace(full, name=name, attack=attack)


def _for_longer(full: Threat) -> Iterator[Threat]:
    assert isinstance(full.attack, Continued | Retrained)
    for epochs in LONGER:
        training = replace(full.attack.training, epochs=epochs)
        attack = replace(full.attack, training=training)
        yield replace(full, name=f"{full.name}, {epochs} epochs", attack=attack)


def all_threats(restarts: int = RESTARTS, decoders: int = RESTARTS) -> dict[str, Threat]:
    """Every threat of this module by its name."""
    kinds = (threats, controls, adaptive, asking, elsewhere, learning, other, playing)
    return {one.name: one for kind in kinds for one in kind(restarts, decoders)}


THREATS = threats()
CONTROLS = controls()
ADAPTIVE = adaptive()
LEARNING = learning()
OTHER = other()
ELSEWHERE = elsewhere()
ASKING = asking()
PLAYING = playing()
