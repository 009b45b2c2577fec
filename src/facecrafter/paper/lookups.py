"""What was measured of a table or figure of the paper, in a line; "" where nothing was."""

import re
from collections.abc import Callable, Mapping, Sequence

from facecrafter.defences.base import AbstractDefence
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.opponents import LatentOpponent, PixelOpponent
from facecrafter.defences.plain import Plain
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.paper import coefficients, describe, redrawn
from facecrafter.paper.bound_sums import GREATEST, UNIT, sums, vacuous
from facecrafter.paper.cells import Table
from facecrafter.paper.kept import Kept, spread
from facecrafter.paper.points import rank_correlation
from facecrafter.paper.store import Record
from facecrafter.paper.tables.adaptive import LFW64_ADAPTIVE
from facecrafter.paper.tables.averaging import LFW64_AVERAGING
from facecrafter.paper.tables.crafter_z import LFW64_CRAFTER_Z
from facecrafter.paper.tables.curve import LFW64_CURVE
from facecrafter.paper.tables.lfw64 import LFW64
from facecrafter.paper.tables.priors import LFW64_PRIORS
from facecrafter.paper.tables.rivals import LFW64_RIVALS

_PIXELS = PixelOpponent(bfloat16=True)
SHOWN: Mapping[str, AbstractDefence] = {
    "no defence": Plain(),
    "Crafter with the paper's opponent": Crafter(0.001, 12, LatentOpponent(rate=0.15)),
    "Crafter": Crafter(0.0025, opponent=_PIXELS),
    "Crafter, TaskUtility": Crafter(0.0025, opponent=_PIXELS, utility=TaskUtility()),
    "StandIn": StandIn(bfloat16=True),
}
# one decoder, that of a game against a game; and attackers who learn from the defence
DECODERS = ("black-box, one decoder", "black-box A1", "deep decoder A1")
SEVENTH = re.compile(r"<!-- table7:.*?-->\n(.*?)<!-- /table7 -->", re.DOTALL)

Look = Callable[[Kept], str]
Tell = Callable[[AbstractDefence], str]


def grid(threat: str) -> Look:
    """Figures 6 to 8."""

    def look(kept: Kept) -> str:
        records = kept.of(LFW64)
        plain = spread(records, Plain(), threat, "auc")

        def tell(defence: AbstractDefence) -> str:
            share, auc = (spread(records, defence, threat, name) for name in ("eval_acc", "auc"))
            if share is None or auc is None or plain is None:
                return ""
            lost = plain.mean - auc.mean
            return _share(share.mean) + (f" (AUC -{lost:.3f})" if lost > 0 else "")

        return _each(tell)

    return look


def located(kept: Kept) -> str:
    """Figure 5: how far best responses are from the prior; of plain features for no defence."""

    def of(defence: AbstractDefence, name: str) -> str:
        found = spread(kept.responses, defence, redrawn.BASIC[0], name)
        return "" if found is None else f"{found.mean:.1f}"

    told = {name: of(defence, "protected") for name, defence in SHOWN.items()}
    first = next((SHOWN[name] for name, text in told.items() if text), None)
    if first is None:
        return ""
    every = {"no defence": of(first, "original"), **{n: t for n, t in told.items() if t}}
    return (
        f"distance from the prior, where two samples of it are {of(first, 'floor')} apart: "
        + "; ".join(f"{name} {text}" for name, text in every.items())
    )


def generators(kept: Kept) -> str:
    """Table IV: mean SSIM of the white-box attack, with the device's and a style-based prior."""
    own, *_, style = redrawn.OTHERS
    return _each(_pair(kept, LFW64_PRIORS, (own, style), "ssim", ".3f"))


def averaging(kept: Kept) -> str:
    """Table V."""
    records = kept.of(LFW64_AVERAGING)

    def tell(defence: AbstractDefence) -> str:
        shuffled = Shuffled(defence)
        found = {
            "basic": spread(records, defence, "white-box"),
            "averaged": spread(records, defence, "white-box A3"),
            "shuffled": spread(records, shuffled, "white-box A3"),
            "shuffled, matched first": spread(records, shuffled, "white-box A3, matched"),
        }
        told = {name: _share(one.mean) for name, one in found.items() if one is not None}
        if "averaged" not in told:
            return ""
        return ", ".join(f"{share} {name}" for name, share in told.items())

    return _each(tell)


def seconds(kept: Kept) -> str:
    """Table VII: what the benchmark wrote to the page of performance."""
    page = kept.docs / "performance.md"
    found = SEVENTH.search(page.read_text(encoding="utf-8")) if page.is_file() else None
    if found is None:
        return ""
    head, _, *lines = (_cells(line) for line in found[1].splitlines() if line.startswith("|"))
    column = head.index("default, here")
    return "; ".join(f"({line[0]}): {line[column]} s" for line in lines)


def exposed(kept: Kept) -> str:
    """Table VIII: a tenth of the private photographs, and features by name."""
    own, *_ = redrawn.OTHERS
    private = next(name for name in redrawn.OTHERS if name.endswith("exposed"))
    alike = private.removesuffix("-exposed")

    def tell(defence: AbstractDefence) -> str:
        records = kept.of(LFW64_PRIORS)
        found = {
            "": spread(records, defence, own),
            " with that prior": spread(records, defence, alike),
            " and X_pvt": spread(records, defence, private),
            " with Enc(X)": spread(kept.exposure, defence, "original", "top1"),
        }
        told = {name: _share(one.mean) for name, one in found.items() if one is not None}
        if not told.keys() & {" and X_pvt", " with Enc(X)"}:
            return ""
        return ", ".join(share + name for name, share in told.items())

    return _each(tell)


def coefficient(kept: Kept) -> str:
    """Table XIV."""
    found = coefficients.measured(kept.of(LFW64_CRAFTER_Z))
    sides = {turned: coefficients.slopes(found, turned) for turned in coefficients.TURNED}
    return coefficients.verdict(found) if all(sides.values()) else ""


def development(kept: Kept) -> str:
    """Figure 9."""
    records = kept.of(LFW64)
    plain = spread(kept.development, Plain(), "attributes", "public_auc")

    def tell(defence: AbstractDefence) -> str:
        auc = spread(kept.development, defence, "attributes", "public_auc")
        shares = [spread(records, defence, threat) for threat in redrawn.BASIC[:2]]
        if auc is None or plain is None or None in shares:
            return ""
        both = " and ".join(_share(share.mean) for share in shares if share is not None)
        lost = plain.mean - auc.mean
        return f"{both}" + (f" (AUC -{lost:.3f})" if lost > 0 else "")

    return _each(tell)


def augmentation(kept: Kept) -> str:
    """VI-B, what private releases add to public faces that are one-sided."""
    alone = spread(kept.augmentation, Plain(), "public", "auc")

    def tell(defence: AbstractDefence) -> str:
        auc = spread(kept.augmentation, defence, "both", "auc")
        return "" if auc is None else f"{auc.mean:.3f}"

    told = _each(tell)
    return "" if alone is None or not told else f"AUC {alone.mean:.3f} alone; {told}"


def azure(kept: Kept) -> str:
    """Figure 25."""

    def tell(defence: AbstractDefence) -> str:
        share = spread(kept.azure, defence, "white-box")
        return "" if share is None else _share(share.mean)

    return _each(tell)


def orders(kept: Kept) -> str:
    """Figure 10: whether epsilon orders Crafter's settings as the three measures do."""
    told: list[str] = []
    for (family, threat), line in redrawn.by_epsilon(kept).items():
        epsilon = [point["pii"].mean for point in line]
        values = ([point[name].mean for point in line] for name in redrawn.SEEN)
        ranks = (f"{rank_correlation(epsilon, some):.2f}" for some in values)
        told.append(f"{family}, {threat} {', '.join(ranks)}")
    names = ", ".join(redrawn.SEEN.values())
    return f"rank correlation of epsilon with {names}: {'; '.join(told)}" if told else ""


def bounded(kept: Kept) -> str:
    """App. D: Theorem 1 for every 1-Lipschitz critic, beside the epsilon that it is about."""

    def tell(defence: AbstractDefence) -> str:
        mine = [r for r in kept.bound if r.defence == describe.of_defence(defence)]
        if not mine:
            return ""
        epsilon, most = UNIT * mine[0].outcome["epsilon"], sums(mine[0], GREATEST).printed
        word = "vacuous" if vacuous(mine[0]) else "not vacuous"
        return f"epsilon {epsilon:.2f}, the bound at least {most:.1f} ({word})"

    told = _each(tell)
    return f"in thousandths: {told}" if told else ""


def learning(threat: str) -> Look:
    """Figures 11 and 12: the basic attack, and the longest lesson that was measured."""

    def look(kept: Kept) -> str:
        along = redrawn.epochs(threat)
        records = [*kept.of(LFW64_CURVE), *kept.of(LFW64_ADAPTIVE)]

        def tell(defence: AbstractDefence) -> str:
            found = {n: spread(records, defence, name) for n, name in along.items()}
            shares = {n: one.mean for n, one in found.items() if one is not None}
            longest = max(shares, default=0)
            if not longest or 0 not in shares:
                return ""
            return f"{_share(shares[0])} to {_share(shares[longest])} in {longest} epochs"

        return _each(tell)

    return look


def as_figure_12(kept: Kept) -> str:
    """Figure 13: the releases are the same, whatever f is trained for."""
    return "as Figure 12" if learning(redrawn.LEARNT[1])(kept) else ""


def strongest(kept: Kept) -> str:
    """Figure 14: of the paper's five attacks."""
    records = kept.of(LFW64_ADAPTIVE)

    def tell(defence: AbstractDefence) -> str:
        found = {
            threat: one.mean
            for threat in (*redrawn.BASIC, *redrawn.LEARNT)
            if (one := spread(records, defence, threat)) is not None
        }
        if not found:
            return ""
        worst = max(found, key=lambda threat: found[threat])
        return f"{_share(found[worst])} ({worst})"

    return _each(tell)


def rival(named: Mapping[str, AbstractDefence]) -> Look:
    """Each setting of a rival: what one decoder reads, and what the strongest A1 does."""

    def look(kept: Kept) -> str:
        records = kept.of(LFW64_RIVALS)
        plain = spread(records, Plain(), "white-box", "auc")

        def tell(defence: AbstractDefence) -> str:
            before, ssim, auc = (
                spread(records, defence, DECODERS[0], name) for name in ("eval_acc", "ssim", "auc")
            )
            found = [spread(records, defence, threat) for threat in DECODERS[1:]]
            after = [one.mean for one in found if one is not None]
            if before is None or ssim is None or auc is None or plain is None:
                return ""
            rises = f" to {_share(max(after))}" if after else ", A1 not measured"
            lost = f"AUC {auc.mean - plain.mean:+.3f}"
            return f"{_share(before.mean)}{rises} (SSIM {ssim.mean:.2f}, {lost})"

        told = {name: tell(defence) for name, defence in named.items()}
        return "; ".join(f"{name}: {text}" for name, text in told.items() if text)

    return look


def cost(named: Mapping[str, AbstractDefence]) -> Look:
    """Seconds a face of each setting: the least that was measured, and on what."""

    def look(kept: Kept) -> str:
        records = kept.of(LFW64_RIVALS)

        def tell(defence: AbstractDefence) -> str:
            described = describe.of_defence(defence)
            mine = [record for record in records if record.defence == described]
            if not mine:
                return ""
            least = min(mine, key=lambda record: record.outcome["seconds"])
            return f"{least.outcome['seconds']:.2g} ({least.machine.get('gpu', 'CPU')})"

        told = {name: tell(defence) for name, defence in named.items()}
        return "; ".join(f"{name}: {text}" for name, text in told.items() if text)

    return look


def others(kept: Kept) -> str:
    """Figure 15: how far apart generators are."""
    records = kept.of(LFW64_PRIORS)

    def tell(defence: AbstractDefence) -> str:
        own = spread(records, defence, redrawn.OTHERS[0])
        found = [spread(records, defence, threat) for threat in redrawn.OTHERS[1:]]
        shares = [one.mean for one in found if one is not None]
        if own is None or not shares:
            return ""
        return f"{_share(own.mean)}, others {100 * min(shares):.1f} to {_share(max(shares))}"

    return _each(tell)


def pictures(kept: Kept) -> str:
    """Figures 2 and 27: none is in the project, for they show people."""
    return "in a report of your own, which shows people" if kept.cells else ""


def _pair(kept: Kept, table: Table, threats: Sequence[str], measure: str, form: str) -> Tell:
    records: Sequence[Record] = kept.of(table)

    def tell(defence: AbstractDefence) -> str:
        found = [spread(records, defence, threat, measure) for threat in threats]
        if None in found:
            return ""
        return " and ".join(format(one.mean, form) for one in found if one is not None)

    return tell


def _each(tell: Tell) -> str:
    """What is told of each of `SHOWN`, where it was measured."""
    told = {name: tell(defence) for name, defence in SHOWN.items()}
    return "; ".join(f"{name} {text}" for name, text in told.items() if text)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
