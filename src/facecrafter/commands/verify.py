"""`facecrafter verify`: attack one's own protected features before somebody else does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from facecrafter.bundle import load
from facecrafter.commands.common import OK, UNSAFE, AbstractCommand, Outcome, UsageError
from facecrafter.commands.files import Photos, gather, photographs
from facecrafter.commands.prepared import DEFAULT, image_size, in_project, shadows_of
from facecrafter.commands.protect import Moved, refuse_guessable
from facecrafter.commands.protection import Protection, facts
from facecrafter.errors import NotProtected, NumericalError
from facecrafter.paper.verify import MEANING, RANK, STRANGERS, Verdict, threshold, verify, worst


@dataclass(frozen=True, kw_only=True)
class Verify(AbstractCommand):
    """Protect your photographs, attack the features as an adversary would, and say what is left.

    For each photograph the identity similarity and SSIM of the strongest of the white-box,
    black-box and hybrid attacks, on the plain feature and on the protected one. A photograph is
    hidden where the same attacks on the features of strangers, who are drawn faces, give a picture
    that is as alike to it; else it is at risk, or recognisable where the picture would pass for
    the same person. Where the attacks cannot break even the plain feature, nobody can tell. The
    last line is the verdict on the worst photograph, and the exit code is 0 only if all are hidden,
    else 3. With --memory the features are those that protect releases. Hidden from these attacks is
    not hidden from every attack.

    Example: facecrafter verify photos --bundle bundles/lfw64
    """

    photos: Photos = ()  # files, or folders of them
    bundle: Path = DEFAULT  # folder of networks; ours
    memory: Path | None = None  # SQLite file of what was released before; never send or delete it
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    strangers: int = STRANGERS  # drawn faces to compare with; more of them tell chance finer; ours
    protection: Annotated[Protection, tyro.conf.arg(name="")] = field(default_factory=Protection)

    def run(self) -> Outcome:
        if not self.photos:
            raise UsageError("name the photographs, or a folder: facecrafter verify PHOTOS")
        refuse_guessable(self.memory, self.common.seed)
        device = self.common.torch_device()
        bundle = load(in_project(self.bundle), device)
        recipe = self.protection.recipe(bundle)
        shadows = [load(folder, device).need("decoder") for folder in shadows_of(self.bundle)]
        files, passes = gather(self.photos), threshold(bundle.facts)
        images = photographs(files, image_size(bundle), self.find_faces)
        rng, defence, several = self.common.secret_rng("verify"), Moved(recipe), self.strangers
        try:
            found = verify(images, bundle, defence, rng, shadows, (), self.memory, several)
        except NumericalError as error:
            raise NotProtected(f"{error} Nothing can be said of these faces.") from error
        rows = [
            {"photograph": file.name, **asdict(verdict)}
            for file, verdict in zip(files, found.verdicts, strict=True)
        ]
        told = {
            **facts(recipe),
            "verdict": found.overall,
            "passes": passes,
            "strangers": several,
            "photographs": rows,
        }
        text = f"{_table(files, found.verdicts, several)}\n\n{self._last(found.verdicts, passes)}"
        return Outcome(text, told, OK if found.overall == "hidden" else UNSAFE)

    def _last(self, verdicts: Sequence[Verdict], passes: float) -> str:
        """The verdict in words, and how far chance goes."""
        overall = worst(verdicts)
        some = sum(verdict.level == overall for verdict in verdicts)
        stands_out = self.strangers // RANK + 1  # ranks, of strangers and one
        by_chance = len(verdicts) * stands_out / (self.strangers + 1)
        return (
            f"A similarity of {passes:.2f} passes for one person: one pair of strangers in twenty "
            f"reaches it. By chance alone {by_chance:.1f} of {len(verdicts)} photographs would "
            f"stand out from {self.strangers} strangers.\n"
            f"Verdict: {overall} ({some} of {len(verdicts)}): {MEANING[overall]}."
        )


def _table(files: Sequence[Path], verdicts: Sequence[Verdict], several: int) -> str:
    """Plain -> protected."""
    width = max(len("photograph"), *(len(file.name) for file in files))
    head = (
        f"{'photograph':<{width}}  {'similarity':<14}  {'SSIM':<14}  as alike      strongest   "
        "verdict"
    )
    rows = [
        f"{file.name:<{width}}  {v.plain_similarity:5.2f} -> {v.similarity:5.2f}  "
        f"{v.plain_ssim:5.2f} -> {v.ssim:5.2f}  {f'{v.strangers} of {several}':<12}  "
        f"{v.threat:<10}  {v.level}"
        for file, v in zip(files, verdicts, strict=True)
    ]
    foot = "(plain -> protected, lower is more private; as alike: strangers' pictures)"
    return "\n".join([head, *rows, foot])
