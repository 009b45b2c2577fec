"""Where each table and figure of the paper's evaluation is: reported, measured, or not run."""

from collections.abc import Mapping
from dataclasses import dataclass

from facecrafter.defences.base import AbstractDefence
from facecrafter.paper import coefficients, lookups
from facecrafter.paper.figures import UNDEFENDED
from facecrafter.paper.lookups import Look
from facecrafter.paper.tables.augmentation import REPORTED as AUGMENTED
from facecrafter.paper.tables.development import REPORTED as DEVELOPED
from facecrafter.paper.tables.exposure import REPORTED as EXPOSED
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.rivals import ADV_LEARNING, DISCO, FAWKES, LOWKEY, TIPRDC

NOT_BUILT = "not built yet"  # in the place of a command
GRID = "facecrafter evaluate --root LFW"
REPORT = "facecrafter report --root LFW"
AZURE = "facecrafter azure --root LFW --endpoint URL --send-photographs"  # on a key of one's own
CELEBA = "facecrafter reproduce --data celeba --root CELEBA"
VGGFACE2 = "facecrafter reproduce --data vggface2 --root VGGFACE2"


@dataclass(frozen=True)
class Item:
    """A table or figure of the paper, or what of it is of one data set."""

    name: str
    shows: str
    reported: str  # what the paper prints, and of which data set; nothing is read off a plot
    command: str  # what measures it, or `NOT_BUILT`
    page: str = ""  # Markdown; "" where nothing was measured
    measured: Look | None = None  # None: not run here


def _table(name: str) -> str:
    return f"facecrafter evaluate --root LFW --table {name}"


def _percent(*shares: float) -> str:
    return ", ".join(f"{100 * share:.2f}" for share in shares) + " %"


def _plain(threat: str) -> str:
    return f"no defence {_percent(LFW64.reported[UNDEFENDED, threat].eval_acc)} (LFW)"


def _figure(number: int, beside: str) -> str:
    return f"[below](#figure-{number}), {beside}"


def _by_lambda(weighted: Mapping[float, AbstractDefence]) -> dict[str, AbstractDefence]:
    return {f"lambda {weight:g}": defence for weight, defence in weighted.items()}


_ALONE, _BOTH = AUGMENTED
_FAWKES = {f"Fawkes {one.mode}": one for one in FAWKES[:-1]}
_LOWKEY = {f"LowKey {one.iterations}": one for one in LOWKEY[:-1]}
_LOST, _BEFORE, _AFTER = DEVELOPED
_NAMED = _percent(*(both[1] for both in EXPOSED.values()))
_BETAS = _percent(*(both[0] for both in EXPOSED.values()))  # beta 0.5, 1, 2 white-box

ITEMS: tuple[Item, ...] = (
    Item(
        "Table IV",
        "SSIM with the basic prior and with StyleGAN (A2)",
        "beta 2, 5, 7: mean .27, .29, .32 and .20, .22, .27; utility .5, .59, .6875 (VGGFace2)",
        f"{_table('priors')} --priors FOLDER",
        "[priors](priors.md)",
        lookups.generators,
    ),
    Item("Table IV", "the same, on its own data", "as above (VGGFace2)", VGGFACE2),
    Item(
        "Table V",
        "five releases averaged (A3)",
        f"beta 0.5, 1, 2: {_BETAS} basic; 10.16, 20.31, 26.56 % averaged; 0, 0, 0.52 % against "
        "shuffling (CelebA)",
        _table("averaging"),
        "[averaging](averaging.md)",
        lookups.averaging,
    ),
    Item("Tables VI, XV", "human study", "Macro-F1 0.251, chance 0.200 (LFW)", NOT_BUILT),
    Item(
        "Table VII",
        "seconds per image",
        "(64,16,16): 27.15; (128,16,16): 30.82; (64,32,32): 53.71 (LFW, RTX 3090)",
        "python bench/scaling.py --published --page docs/performance.md",
        "[performance](performance.md)",
        lookups.seconds,
    ),
    Item(
        "Table VII",
        "LowKey, seconds per image, here (3,64,64)",
        "(3,128,128): 87.45 (LFW, RTX 3090)",
        _table("rivals"),
        "[rivals](rivals.md)",
        lookups.cost(_LOWKEY),
    ),
    Item(
        "Table VIII",
        "private photographs (X_pvt) or named features (Enc(X)) exposed",
        f"beta 0.5, 1, 2: {_BETAS}; 6.77, 10.93, 13.28 % with X_pvt; {_NAMED} with Enc(X) (CelebA)",
        f"facecrafter expose --root LFW; {_table('priors')} --priors FOLDER",
        "[exposure](exposure.md), [priors](priors.md)",
        lookups.exposed,
    ),
    Item(
        "Table XIV",
        "beta and rate of Crafter-z",
        coefficients.told(coefficients.REPORTED) + " (CelebA)",
        _table("crafter-z"),
        "[crafter-z](crafter-z.md)",
        lookups.coefficient,
    ),
    Item(
        "Figures 2, 27, 28",
        "pictures of what attackers make of each defence",
        "no figures (LFW)",
        REPORT,
        "`report.html`, its part Pictures",
        lookups.pictures,
    ),
    Item(
        "Figure 5",
        "where best responses lie, before and after crafting",
        "they move to the prior; no figures",
        "facecrafter locate --root LFW",
        "[below](#figure-5)",
        lookups.located,
    ),
    Item(
        "Figure 6",
        "white-box attack against use; FSIM: Figure 20",
        f"{_plain('white-box')}; 49.22 % to {_BETAS} at beta 0.5, 1, 2, AUC -0.05 at 1 (CelebA)",
        GRID,
        _figure(6, "[results](results.md)"),
        lookups.grid("white-box"),
    ),
    Item(
        "Figure 7",
        "black-box attack against use; FSIM: Figure 19",
        f"{_plain('black-box')}; no defence 34 % (CelebA)",
        GRID,
        _figure(7, "[results](results.md)"),
        lookups.grid("black-box"),
    ),
    Item(
        "Figure 8",
        "hybrid attack against use; FSIM: Figure 21",
        _plain("hybrid"),
        GRID,
        _figure(8, "[results](results.md)"),
        lookups.grid("hybrid"),
    ),
    Item(
        "Figure 9",
        "f is trained on releases: white-box and black-box",
        f"beta 1: {100 * _BEFORE:.0f} to {100 * _AFTER:.0f} % (AUC -{_LOST:g}) (CelebA)",
        "facecrafter develop --root LFW",
        _figure(9, "[development](development.md)"),
        lookups.development,
    ),
    Item(
        "VI-B, text",
        "f learns from one-sided public faces, alone and with private releases",
        f"AUC {_ALONE:g} alone, {_BOTH:g} with releases (CelebA)",
        "facecrafter augment --root LFW",
        "[augmentation](augmentation.md)",
        lookups.augmentation,
    ),
    Item(
        "Figure 10",
        "epsilon-PII beside what is recognised",
        "all three measures rise with epsilon (LFW, CelebA)",
        GRID,
        _figure(10, "[results](results.md)"),
        lookups.orders,
    ),
    Item(
        "App. D, Theorem 1, Eq. 34",
        "bounds on epsilon",
        "no figures",
        "facecrafter bound --root LFW",
        "[bound](bound.md)",
        lookups.bounded,
    ),
    Item(
        "Figure 11",
        "white-box A1 over epochs; FSIM: Figure 22",
        "it does not help against Crafter (LFW, CelebA)",
        _table("adaptive"),
        _figure(11, "[adaptive](adaptive.md)"),
        lookups.learning("white-box A1"),
    ),
    Item(
        "Figure 12",
        "black-box A1 over epochs; FSIM: Figures 23, 24",
        "it does not help against Crafter (LFW, CelebA)",
        _table("curve"),
        _figure(12, "[curve](curve.md)"),
        lookups.learning("black-box A1"),
    ),
    Item(
        "Figure 13",
        "the same, development",
        "Crafter falls slightly in 70 epochs, TIPRDC rises by more than 15 points (CelebA)",
        _table("curve"),
        "a release does not depend on what f is trained for",
        lookups.as_figure_12,
    ),
    Item(
        "Figure 14",
        "five attacks and what is left of use",
        "no figures (LFW, CelebA)",
        _table("adaptive"),
        _figure(14, "[adaptive](adaptive.md)"),
        lookups.strongest,
    ),
    Item(
        "Figure 15",
        "other generators (A2)",
        "at beta 1 Eval Acc differs by at most 3 points, FSIM by .01 (CelebA)",
        f"{_table('priors')} --priors FOLDER",
        _figure(15, "[priors](priors.md)"),
        lookups.others,
    ),
    Item("Figures 6 to 12, 15, 26", "CelebA", f"{_BETAS} at beta 0.5, 1, 2 white-box", CELEBA),
    Item(
        "Figures 6 to 8, 12, 14",
        "Adv Learning: the decoder of its game, and A1",
        "false security, which A1 breaks; no figures (LFW)",
        _table("rivals"),
        "[rivals](rivals.md)",
        lookups.rival(_by_lambda(ADV_LEARNING)),
    ),
    Item(
        "Figures 6 to 8, 12, 14",
        "Disco: the decoder of its game, and A1",
        "lambda .8, .6, .2: 0 to 47, 60, 63 % (LFW)",
        _table("rivals"),
        "[rivals](rivals.md)",
        lookups.rival(_by_lambda(DISCO)),
    ),
    Item(
        "Figures 9, 13, 14",
        "TIPRDC: one decoder, and A1",
        "above 40 % (CelebA)",
        _table("rivals"),
        "[rivals](rivals.md)",
        lookups.rival(_by_lambda(TIPRDC)),
    ),
    Item(
        "Figures 16, 17",
        "Fawkes, LowKey: one decoder, and A1",
        "Fawkes as raw features; LowKey's Eval Acc as Crafter's at a higher AUC, its SSIM as raw "
        "features; no figures (LFW)",
        _table("rivals"),
        _figure(16, "[rivals](rivals.md)"),
        lookups.rival({**_FAWKES, **_LOWKEY}),
    ),
    Item(
        "VI-D, text",
        "the same, made to evade Enc: one decoder, and A1",
        "high privacy, AUC 0.52 (LFW)",
        _table("rivals"),
        "[rivals](rivals.md)",
        lookups.rival({"Fawkes": FAWKES[-1], "LowKey": LOWKEY[-1]}),
    ),
    Item(
        "Figure 25",
        "Azure as the judge",
        "no figures (LFW)",
        AZURE,
        "[azure](azure.md)",
        lookups.azure,
    ),
)
