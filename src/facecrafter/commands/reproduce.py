"""`facecrafter reproduce`: networks and the paper's tables on a data set of one's own."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from facecrafter.commands.assemble import TrainBundle
from facecrafter.commands.common import AbstractCommand, Outcome
from facecrafter.commands.evaluate import TABLES
from facecrafter.commands.pages import Report
from facecrafter.commands.source import From, Source
from facecrafter.commands.train import (
    TrainAmortiser,
    TrainDecoder,
    TrainJudge,
    TrainPrior,
    TrainStyle,
    TrainSurrogate,
    TrainTarget,
)
from facecrafter.paper.cells import Table
from facecrafter.paper.evaluate import evaluate
from facecrafter.paper.precision import suited
from facecrafter.paper.report import write_report
from facecrafter.paper.scenes import MINIMUM, Scene, deployment
from facecrafter.paper.store import Store
from facecrafter.paper.threats import all_threats
from facecrafter.pinned import MANIFEST
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.judge import JudgeTraining
from facecrafter.training.prior import PriorTraining
from facecrafter.training.style import StyleTraining
from facecrafter.training.surrogate import SurrogateTraining
from facecrafter.training.target import TargetTraining

Name = Literal[
    "grid", "averaging", "adaptive", "curve", "stand-ins", "searches", "priors", "crafter-z"
]
DECODERS = 1  # of the black-box attacker; paper, VI-B
# of attackers (`threats.PRIORS`): depth (3 = G1, 4 = G2), latents, share of private photographs
GENERATORS = {
    "G1-200": (3, 200, 0.0),
    "G1-300": (3, 300, 0.0),
    "G1-400": (3, 400, 0.0),
    "G1-500": (3, 500, 0.0),
    "G2-500": (4, 500, 0.0),
    "G1-500-exposed": (3, 500, 0.1),
}


@dataclass(frozen=True, kw_only=True)
class Reproduce(AbstractCommand):
    """Train all networks on a data set and measure the paper's tables on it: CelebA, VGGFace2.

    Everything goes to the folder --out: networks, bundle, results, a page for each table, and
    report.html. What is there is not made again, so the command goes on where it was stopped. Use a
    GPU: all of CelebA takes days on a CPU. The data must have attributes; docs/data.md says where
    they lie.

    Example: facecrafter reproduce --data celeba --root DATA/celeba --out runs/celeba
    """

    source: From = field(default_factory=Source)
    out: Path = Path("runs/reproduction")  # folder for all that is made
    # those of `evaluate --table`. grid: Figures 6 to 8 and 10. averaging: Table V. adaptive and
    # curve: Figures 11, 12, 14. priors: Table IV, Figure 15. crafter-z: Table XIV
    tables: tuple[Name, ...] = ("grid", "averaging", "adaptive", "curve", "priors", "crafter-z")
    processes: int = 1  # cells at a time, one thread each; of no influence on outcomes; ours
    minimum: int = MINIMUM  # photographs of each answer that a scored attribute needs; ours
    target: TargetTraining = field(default_factory=TargetTraining)
    prior: PriorTraining = field(  # 500 latents: paper, App. G (CelebA); the rest ours
        default_factory=lambda: PriorTraining(warm_epochs=24, divergence=0.12, steps=0)
    )
    decoder: DecoderTraining = field(  # 15 epochs: ours, paper: 500
        default_factory=lambda: DecoderTraining(epochs=15)
    )
    amortiser: AmortiserTraining = field(default_factory=AmortiserTraining)
    # learns every second attribute, unless told which
    surrogate: SurrogateTraining = field(default_factory=SurrogateTraining)
    judge: JudgeTraining = field(  # begins as the target, of its shape; ours, paper: ResNet-152
        default_factory=lambda: JudgeTraining(depth=18)
    )
    style: StyleTraining = field(default_factory=StyleTraining)

    def run(self) -> Outcome:
        attributes = self.source.splits().public.attribute_names
        learnt = self.surrogate.attributes or attributes[1::2]
        for training in self._trainings(learnt):
            self._say(training.run().text)
        bundle = self._bundle()
        if not (bundle.out / MANIFEST).is_file():
            self._say(bundle.run().text)
        results, docs = self.out / "results", self.out / "docs"
        store = Store(results, self.out / "work")
        for name in self.tables:
            table = self._table(TABLES[name], learnt)
            for step in evaluate(table.cells(), self._scene(), store, self.processes):
                self._say(str(step))
            self._say(f"see {write_report(table, store, docs)}")
        out = self.out / "report.html"
        return Report(common=self.common, docs=docs, out=out, results=results).run()

    def _trainings(self, learnt: tuple[str, ...]) -> Iterator[AbstractCommand]:
        """In the order in which they need each other."""
        common, source, out = self.common, self.source, self.out
        target, prior = out / "target", out / "prior"
        yield TrainTarget(common=common, source=source, out=target, recipe=self.target)
        yield TrainPrior(common=common, source=source, out=prior, recipe=self.prior)
        yield TrainDecoder(
            common=common, source=source, target=target, out=out / "decoder", recipe=self.decoder
        )
        surrogate = replace(self.surrogate, attributes=learnt)
        yield TrainSurrogate(
            common=common, source=source, target=target, out=out / "surrogate", recipe=surrogate
        )
        yield TrainJudge(
            common=common, source=source, start=target, out=out / "judge", recipe=self.judge
        )
        amortiser = out / "amortiser"
        yield TrainAmortiser(
            common=common, target=target, prior=prior, out=amortiser, recipe=self.amortiser
        )
        if "priors" in self.tables:
            yield from self._generators()

    def _generators(self) -> Iterator[AbstractCommand]:
        """Of attackers who have others than the device's (A2)."""
        common, source, folder = self.common, self.source, self._priors
        yield TrainStyle(common=common, source=source, out=folder / "style", recipe=self.style)
        for name, (depth, latents, exposed) in GENERATORS.items():
            recipe = replace(self.prior, depth=depth, latent_dim=latents)
            yield TrainPrior(
                common=common, source=source, out=folder / name, exposed=exposed, recipe=recipe
            )

    @property
    def _priors(self) -> Path:
        return self.out / "priors"

    def _bundle(self) -> TrainBundle:
        return TrainBundle(
            common=self.common,
            source=self.source,
            target=self.out / "target",
            prior=self.out / "prior",
            decoder=self.out / "decoder",
            judge=self.out / "judge",
            amortiser=self.out / "amortiser",
            surrogate=self.out / "surrogate",
            out=self.out / "bundle",
        )

    def _table(self, table: Table, learnt: tuple[str, ...]) -> Table:
        """The same cells on this data; what is said of LFW is left out.

        In float32 where the processor is slow in bfloat16.
        """
        held = all_threats(decoders=DECODERS)
        data, size = self.source.data, self.source.size
        of_this_data = replace(
            table,
            scene=self._name,
            title=table.title.replace("LFW, 64 x 64", f"{data}, {size} x {size}"),
            threats=tuple(held[threat.name] for threat in table.threats),
            reported={},
            remarks={},
            command=f"facecrafter reproduce --data {data}",
            learnt=learnt,
            headline=False,
        )
        return suited(of_this_data, self.common.torch_device())

    @property
    def _name(self) -> str:
        return f"{self.source.data}{self.source.size}-deployment"

    def _scene(self) -> Callable[[], Scene]:
        priors = self._priors if "priors" in self.tables else None
        device = str(self.common.torch_device())
        told = (self._name, self.source, self.out / "bundle", priors, self.minimum, device)
        return partial(_made, *told)

    def _say(self, text: str) -> None:
        if not (self.common.quiet or self.common.json):
            print(text, file=sys.stderr, flush=True)


def _made(
    name: str, source: Source, bundle: Path, priors: Path | None, minimum: int, device: str
) -> Scene:
    """Each process makes its own."""
    scene = deployment(name, source.splits(), bundle, (), device, priors)
    return replace(scene, minimum=minimum)
