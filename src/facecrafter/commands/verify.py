"""`facecrafter verify`: attack one's own protected features before somebody else does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from torch import nn

from facecrafter.bundle import Bundle, load
from facecrafter.commands.common import OK, UNSAFE, AbstractCommand, Outcome, UsageError
from facecrafter.commands.files import Photos, gather, photographs
from facecrafter.commands.prepared import DEFAULT, image_size, in_project, shadows_of, suited
from facecrafter.commands.protect import BATCH, Moved, refuse_guessable
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.remembered import Remembered
from facecrafter.errors import NotProtected, NumericalError
from facecrafter.paper.verify import Verdict, confuses, meaning, thresholds, verify, worst
from facecrafter.progress import progress
from facecrafter.randomness import child
from facecrafter.types import Images

DOUBT = (
    " The judge of this bundle confuses some people: to it some pairs of two people are more alike "
    "than some pairs of photographs of one person, so look at the faces yourself."
)


@dataclass(frozen=True, kw_only=True)
class Verify(AbstractCommand):
    """Protect your photographs, attack the features as an adversary would, and say what is left.

    For each photograph the identity similarity and SSIM of the strongest of the white-box,
    black-box and hybrid attacks, on the plain feature and on the protected one, then one verdict,
    that of the worst photograph. Where the attacks cannot break even the plain feature, the verdict
    is "cannot tell". With --memory the features are those that protect releases. The exit code is 0
    only if all faces are hidden, else 3. Hidden from these attacks is not hidden from every attack.

    Example: facecrafter verify photos --bundle bundles/lfw64
    """

    photos: Photos = ()  # files, or folders of them
    bundle: Path = DEFAULT  # folder of networks; ours
    memory: Path | None = None  # SQLite file of what was released before; never send or delete it
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    any_task: bool = False  # keep every use alike, though the bundle knows some of the questions
    crafter: Annotated[Crafter, tyro.conf.arg(name="")] = field(default_factory=Crafter)

    def run(self) -> Outcome:
        if not self.photos:
            raise UsageError("name the photographs, or a folder: facecrafter verify PHOTOS")
        refuse_guessable(self.memory, self.common.seed)
        device = self.common.torch_device()
        bundle = load(in_project(self.bundle), device)
        shadows = [load(folder, device).need("decoder") for folder in shadows_of(self.bundle)]
        files, limits = gather(self.photos), thresholds(bundle.facts)
        images = photographs(files, image_size(bundle), self.find_faces)
        crafter = suited(self.crafter, bundle, self.any_task)
        verdicts = self._verdicts(images, bundle, crafter, shadows)
        found = worst(verdicts)
        rows = [
            {"photograph": file.name, **asdict(verdict)}
            for file, verdict in zip(files, verdicts, strict=True)
        ]
        last = f"Verdict: {found}: {meaning(found, limits)}."
        text = f"{_table(files, verdicts)}\n\n{last}{DOUBT * confuses(limits)}"
        facts = {
            "utility": type(crafter.utility).__name__,
            "verdict": found,
            "judge_confuses": confuses(limits),
            "photographs": rows,
        }
        return Outcome(text, facts, OK if found == "hidden" else UNSAFE)

    def _verdicts(
        self, images: Images, bundle: Bundle, crafter: Crafter, shadows: Sequence[nn.Module]
    ) -> list[Verdict]:
        defence = Remembered(Moved(crafter), self.memory)
        rng, verdicts = self.common.secret_rng("verify"), list[Verdict]()
        with progress("attacking", len(images)) as advance:
            for i, batch in enumerate(images.split(BATCH)):
                own = child(rng, "batch", i)
                try:
                    verdicts += verify(batch, bundle, defence, own, shadows).verdicts
                except NumericalError as error:
                    raise NotProtected(f"{error} Nothing can be said of these faces.") from error
                advance(len(batch))
        return verdicts


def _table(files: Sequence[Path], verdicts: Sequence[Verdict]) -> str:
    """Plain -> protected."""
    width = max(len("photograph"), *(len(file.name) for file in files))
    head = f"{'photograph':<{width}}  {'similarity':<14}  {'SSIM':<14}  strongest   verdict"
    rows = [
        f"{file.name:<{width}}  {v.plain_similarity:5.2f} -> {v.similarity:5.2f}  "
        f"{v.plain_ssim:5.2f} -> {v.ssim:5.2f}  {v.threat:<10}  {v.level}"
        for file, v in zip(files, verdicts, strict=True)
    ]
    return "\n".join([head, *rows, "(plain -> protected; lower is more private)"])
