"""`facecrafter train`: the networks, one at a time, each resumable."""

import abc
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from facecrafter.commands.assemble import TrainBundle
from facecrafter.commands.common import AbstractCommand, Common, Outcome, warn_of_bfloat16
from facecrafter.commands.figures import decoder_ssim, judge_accuracy, utility
from facecrafter.commands.networks import prior_of, target_of
from facecrafter.commands.shadow import TrainShadow
from facecrafter.commands.source import From, Source
from facecrafter.data.faces import Splits, joined
from facecrafter.defences.adversarial import AdversarialLearning
from facecrafter.models.folding import fold_batch_norms
from facecrafter.training import restore
from facecrafter.training.amortiser import AmortiserTraining
from facecrafter.training.critic import CriticTraining
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.general import GeneralTraining
from facecrafter.training.head import HeadTraining
from facecrafter.training.judge import JudgeTraining
from facecrafter.training.prior import PriorTraining
from facecrafter.training.style import StyleTraining
from facecrafter.training.surrogate import SurrogateTraining
from facecrafter.training.target import TargetTraining

Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Training(AbstractCommand, abc.ABC):
    @abc.abstractmethod
    def train(self, device: torch.device) -> Figures:
        """Train and measure."""

    def run(self) -> Outcome:
        out: Path = getattr(self, "out")  # noqa: B009 (each recipe has its own default)
        began, before = time.monotonic(), restore.recipe(out)
        device = self.common.torch_device()
        recipe = getattr(self, "recipe")  # noqa: B009 (likewise)
        warn_of_bfloat16(recipe, device, "Stop, and leave --bfloat16 out.")
        figures = self.train(device)
        seconds = time.monotonic() - began
        already = restore.recipe(out) == before  # not one step was left to do
        did = "trained already, no step was left" if already else f"trained in {seconds:.0f} s"
        told = ", ".join(f"{name} {value}" for name, value in figures.items())
        facts = {"out": str(out), "seconds": round(seconds, 1), "already": already, **figures}
        return Outcome(f"{did}; {told + '; ' if told else ''}the weights are in {out}", facts)


@dataclass(frozen=True, kw_only=True)
class _FromFaces(_Training, abc.ABC):
    source: From = field(default_factory=Source)

    @abc.abstractmethod
    def fit(self, splits: Splits, device: torch.device) -> Figures:
        """Train on them and measure."""

    def train(self, device: torch.device) -> Figures:
        return self.fit(self.source.splits(), device)


@dataclass(frozen=True, kw_only=True)
class TrainTarget(_FromFaces):
    """Train the cloud's network, Enc and f, on the attributes of public faces.

    Ctrl-C leaves a checkpoint; the same command goes on from there, and ends with the same weights
    as a run that was never stopped.

    Example: facecrafter train target --data lfw --root DATA/lfw --out runs/target
    """

    out: Path = Path("runs/target")  # folder for checkpoints, losses and pictures
    recipe: Annotated[TargetTraining, tyro.conf.arg(name="")] = field(
        default_factory=TargetTraining
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        model = self.recipe.fit(splits.public, self.common.number(), self.out, device)
        return {"mean_auc": round(utility(model, splits.private_test, device).mean, 4)}


@dataclass(frozen=True, kw_only=True)
class TrainGeneral(_FromFaces):
    """Train an encoder for no task, on public faces without labels (development scenario).

    `train head --target FOLDER` gives it an f, and its folder is then the --target of the other
    trainings and of `train bundle`: all are made anew for another encoder. What a cloud learns from
    its features is measured by `develop --bundle FOLDER --results FOLDER`.

    Example: facecrafter train general --data lfw --root DATA/lfw --bfloat16
    """

    out: Path = Path("runs/general")  # folder for checkpoints and losses
    recipe: Annotated[GeneralTraining, tyro.conf.arg(name="")] = field(
        default_factory=GeneralTraining
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        self.recipe.fit(splits.public, self.common.number(), self.out, device)
        return {}


@dataclass(frozen=True, kw_only=True)
class TrainHead(_FromFaces):
    """Train f alone on the attributes of public faces, behind an encoder that stays as it is.

    Example: facecrafter train head --data lfw --root DATA/lfw --target runs/general
    """

    target: Path = Path(
        "runs/general"
    )  # training folder of a ResNet, or a bundle, with the encoder
    out: Path = Path("runs/head")  # folder for checkpoints and losses; a target in its turn
    recipe: Annotated[HeadTraining, tyro.conf.arg(name="")] = field(default_factory=HeadTraining)

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        target = target_of(self.target, device)
        model = self.recipe.fit(target, splits.public, self.common.number(), self.out, device)
        return {"mean_auc": round(utility(model, splits.private_test, device).mean, 4)}


@dataclass(frozen=True, kw_only=True)
class TrainPrior(_FromFaces):
    """Train the prior G, a generator of average faces, on public faces (Eq. 12).

    A warm start as the decoder of an auto-encoder, then WGAN-GP. The public faces are given the
    private ones' pixel mean and deviation first (IV-D) unless --raw. With --exposed it is the prior
    of an attacker who got some private photographs as well, and no prior for a device.

    Example: facecrafter train prior --data lfw --root DATA/lfw --latent-dim 128 --width 32
    """

    out: Path = Path("runs/prior")  # folder for checkpoints, losses and sheets of samples
    raw: bool = False  # public faces as they are, without the normalisation of IV-D
    # share of each private person's train photographs to learn from too (paper, Table VIII: 0.1)
    exposed: float = 0.0  # ours
    recipe: Annotated[PriorTraining, tyro.conf.arg(name="")] = field(default_factory=PriorTraining)

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        faces = splits.public if self.raw else splits.normalised()
        if self.exposed:
            faces = joined(faces, splits.exposed(self.exposed))
        self.recipe.fit(faces, self.common.number(), self.out, device)
        return {"photographs": len(faces)} if self.exposed else {}


@dataclass(frozen=True, kw_only=True)
class TrainAdversarial(_FromFaces):
    """Train a rival, Adv Learning: Enc and f against a decoder that learns to invert them.

    The folder is a --target for the other trainings and for `train bundle`, and a --decoder for it:
    that of the game, a basic attacker's. One that `train decoder --target FOLDER` makes is what an
    attacker has who goes on (A1). The defender sees private train photographs, as no Crafter does.

    Example: facecrafter train adversarial --data lfw --root DATA/lfw --weight 0.5
    """

    target: Path = Path("bundles/lfw64")  # training folder or bundle that the defender starts from
    out: Path = Path("runs/adversarial")  # folder for checkpoints and losses
    recipe: Annotated[AdversarialLearning, tyro.conf.arg(name="")] = field(
        default_factory=AdversarialLearning
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        target = target_of(self.target, device)
        seed, private = self.common.number(), splits.private_train
        players = self.recipe.play(target, private, seed, self.out, device)
        model = fold_batch_norms(players.target)
        return {
            "mean_auc": round(utility(model, splits.private_test, device).mean, 4),
            "ssim": round(
                decoder_ssim(players.decoder, model.encode, splits.private_test, device), 3
            ),
        }


@dataclass(frozen=True, kw_only=True)
class TrainStyle(_FromFaces):
    """Train a style-based prior on public faces, for an attacker who searches its w space (A2).

    As in StyleGAN, but small: a warm start as the decoder of an auto-encoder, then --steps against
    a critic. The public faces are normalised first, as for `train prior`, unless --raw.

    Example: facecrafter train style --data lfw --root DATA/lfw --bfloat16 --out FOLDER/style
    """

    out: Path = Path("runs/style")  # folder for checkpoints, losses and sheets of samples
    raw: bool = False  # public faces as they are, without the normalisation of IV-D
    recipe: Annotated[StyleTraining, tyro.conf.arg(name="")] = field(default_factory=StyleTraining)

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        faces = splits.public if self.raw else splits.normalised()
        self.recipe.fit(faces, self.common.number(), self.out, device)
        return {}


@dataclass(frozen=True, kw_only=True)
class TrainCritic(_FromFaces):
    """Train a critic D between public faces and the faces of a prior.

    Crafter with CriticDistance(trained=True) starts from it instead of from a fresh one.

    Example: facecrafter train critic --data lfw --root DATA/lfw --prior bundles/lfw64
    """

    prior: Path = Path("runs/prior")  # training folder of a prior, or a bundle
    out: Path = Path("runs/critic")  # folder for checkpoints and losses
    raw: bool = False  # public faces as they are, without the normalisation of IV-D
    recipe: Annotated[CriticTraining, tyro.conf.arg(name="")] = field(
        default_factory=CriticTraining
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        prior = prior_of(self.prior, device)
        faces = splits.public if self.raw else splits.normalised()
        self.recipe.fit(prior, faces, self.common.number(), self.out, device)
        return {}


@dataclass(frozen=True, kw_only=True)
class TrainDecoder(_FromFaces):
    """Train Dec, the black-box attacker's decoder, on public faces and their features (Eq. 2).

    Example: facecrafter train decoder --data lfw --root DATA/lfw --target runs/target --epochs 15
    """

    target: Path = Path("runs/target")  # training folder of a target, or a bundle
    out: Path = Path("runs/decoder")  # folder for checkpoints, losses and sheets of samples
    recipe: Annotated[DecoderTraining, tyro.conf.arg(name="")] = field(
        default_factory=DecoderTraining
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        target = target_of(self.target, device)
        encode, seed = fold_batch_norms(target).encode, self.common.number()
        decoder = self.recipe.fit(
            encode, splits.public, seed, self.out, device, unfolded={"target": target}
        )
        return {"ssim": round(decoder_ssim(decoder, encode, splits.private_test, device), 4)}


@dataclass(frozen=True, kw_only=True)
class TrainSurrogate(_FromFaces):
    """Train the surrogate, which tells a device what the cloud's questions are like.

    It learns the attributes of public faces from features, as f does, and has nothing of f.

    Example: facecrafter train surrogate --data lfw --root DATA/lfw --target bundles/lfw64
    """

    target: Path = Path("runs/target")  # training folder of a target, or a bundle; Enc is used
    out: Path = Path("runs/surrogate")  # folder for checkpoints and losses
    recipe: Annotated[SurrogateTraining, tyro.conf.arg(name="")] = field(
        default_factory=SurrogateTraining
    )

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        target = target_of(self.target, device)
        encode, seed = fold_batch_norms(target).encode, self.common.number()
        surrogate = self.recipe.fit(
            encode, splits.public, seed, self.out, device, unfolded={"target": target}
        )
        learnt = self.recipe.attributes or splits.public.attribute_names
        test = splits.private_test.only(learnt)
        own = utility(lambda images: surrogate(encode(images)), test, device)
        return {"mean_auc": round(own.mean, 4)}


@dataclass(frozen=True, kw_only=True)
class TrainJudge(_FromFaces):
    """Train the judge, which measures whether a face is still recognised, on private faces.

    Nobody but the measuring sees it. --start takes the body of a target network of the same shape.

    Example: facecrafter train judge --data lfw --root DATA/lfw --depth 18 --start runs/target
    """

    start: Path | None = None  # training folder of a target to start from, or a bundle
    out: Path = Path("runs/judge")  # folder for checkpoints and losses
    recipe: Annotated[JudgeTraining, tyro.conf.arg(name="")] = field(default_factory=JudgeTraining)

    def fit(self, splits: Splits, device: torch.device) -> Figures:
        start = None if self.start is None else target_of(self.start, device).state_dict()
        train = splits.private_train
        judge = self.recipe.fit(train, self.common.number(), self.out, device, start)
        return {"accuracy": round(judge_accuracy(judge, train, splits.private_test, device), 4)}


@dataclass(frozen=True, kw_only=True)
class TrainAmortiser(_Training):
    """Train Amor, a first guess at the latent vector behind a feature (Eq. 37).

    It learns from the prior's own faces, so it needs no data.

    Example: facecrafter train amortiser --target runs/target --prior runs/prior
    """

    target: Path = Path("runs/target")  # training folder of a target, or a bundle
    prior: Path = Path("runs/prior")  # training folder of a prior, or a bundle
    out: Path = Path("runs/amortiser")  # folder for checkpoints and losses
    recipe: Annotated[AmortiserTraining, tyro.conf.arg(name="")] = field(
        default_factory=AmortiserTraining
    )

    def train(self, device: torch.device) -> Figures:
        target, prior = target_of(self.target, device), prior_of(self.prior, device)
        self.recipe.fit(
            fold_batch_norms(target).encode,
            fold_batch_norms(prior),
            self.common.number(),
            self.out,
            device,
            unfolded={"target": target, "prior": prior},
        )
        return {}


_Part = (
    Annotated[TrainTarget, tyro.conf.subcommand("target", prefix_name=False)]
    | Annotated[TrainGeneral, tyro.conf.subcommand("general", prefix_name=False)]
    | Annotated[TrainHead, tyro.conf.subcommand("head", prefix_name=False)]
    | Annotated[TrainAdversarial, tyro.conf.subcommand("adversarial", prefix_name=False)]
    | Annotated[TrainPrior, tyro.conf.subcommand("prior", prefix_name=False)]
    | Annotated[TrainStyle, tyro.conf.subcommand("style", prefix_name=False)]
    | Annotated[TrainCritic, tyro.conf.subcommand("critic", prefix_name=False)]
    | Annotated[TrainDecoder, tyro.conf.subcommand("decoder", prefix_name=False)]
    | Annotated[TrainAmortiser, tyro.conf.subcommand("amortiser", prefix_name=False)]
    | Annotated[TrainSurrogate, tyro.conf.subcommand("surrogate", prefix_name=False)]
    | Annotated[TrainJudge, tyro.conf.subcommand("judge", prefix_name=False)]
    | Annotated[TrainBundle, tyro.conf.subcommand("bundle", prefix_name=False)]
    | Annotated[TrainShadow, tyro.conf.subcommand("shadow", prefix_name=False)]
)


@dataclass(frozen=True)
class Train:
    """Train target, prior, critic, decoder, amortiser, surrogate or judge; then bundle them.

    `shadow` puts one more decoder beside a bundle, and `style` trains a prior, for the attacker;
    `general` and `head` make a target of which the encoder was made for no task.

    Every training writes checkpoints that survive kill -9 and goes on from the last one when the
    same command is given again; loss curves and sample sheets are pictures in its folder.

    Example: facecrafter train target --data lfw --root DATA/lfw --out runs/target
    """

    # no name of its own: then a setting that is refused is our error, not tyro's
    part: Annotated[_Part, tyro.conf.arg(name="")]

    @property
    def common(self) -> Common:
        """Options of the part's own command line."""
        return self.part.common

    def run(self) -> Outcome:
        """Train the part."""
        return self.part.run()
