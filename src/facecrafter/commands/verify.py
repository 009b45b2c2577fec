"""`facecrafter verify`: attack one's own protected features before somebody else does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from facecrafter.bundle import load
from facecrafter.commands.common import OK, UNSAFE, AbstractCommand, Outcome, UsageError
from facecrafter.commands.files import Photos, gather, photographs
from facecrafter.commands.prepared import DEFAULT, image_size, in_project
from facecrafter.commands.protect import BATCH
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.remembered import Remembered
from facecrafter.paper.verify import Verdict, verify
from facecrafter.progress import progress
from facecrafter.randomness import child

MEANING = {  # of the strongest attack; from good to bad
    "hidden": "it got no closer to the person than two different people usually are",
    "at risk": "it got closer to the person than two different people usually are",
    "recognisable": "it got as close to the person as two photographs of one person usually are",
}


@dataclass(frozen=True, kw_only=True)
class Verify(AbstractCommand):
    """Protect your photographs, attack the features as an adversary would, and say what is left.

    For each photograph the identity similarity and SSIM of the strongest of the white-box,
    black-box and hybrid attacks, then one verdict, that of the worst photograph. With --memory the
    features are those that protect releases. The exit code is 0 only if all faces are hidden, else
    3. Hidden from these attacks is not hidden from every attack.

    Example: facecrafter verify photos --bundle bundles/lfw64
    """

    photos: Photos = ()  # files, or folders of them
    bundle: Path = DEFAULT  # folder of networks; ours
    memory: Path | None = None  # SQLite file of what was released before; never send or delete it
    find_faces: bool = False  # cut around the largest face (extra: detect), not the middle
    crafter: Annotated[Crafter, tyro.conf.arg(name="")] = field(default_factory=Crafter)

    def run(self) -> Outcome:
        if not self.photos:
            raise UsageError("name the photographs, or a folder: facecrafter verify PHOTOS")
        bundle = load(in_project(self.bundle), self.common.torch_device())
        files = gather(self.photos)
        images = photographs(files, image_size(bundle), self.find_faces)
        # what is remembered is released later: nobody may be able to repeat the crafting
        rng = self.common.secret_rng("verify")
        verdicts: list[Verdict] = []
        with progress("attacking", len(images)) as advance:
            for i, batch in enumerate(images.split(BATCH)):
                defence = Remembered(self.crafter, self.memory)
                found = verify(batch, bundle, defence, child(rng, "batch", i))
                verdicts += found.verdicts
                advance(len(batch))
        worst = max(verdicts, key=lambda verdict: list(MEANING).index(verdict.level)).level
        rows = [
            {"photograph": file.name, **asdict(verdict)}
            for file, verdict in zip(files, verdicts, strict=True)
        ]
        last = f"Verdict: {worst}. The strongest attack: {MEANING[worst]}."
        text = f"{_table(files, verdicts)}\n\n{last}"
        facts = {"verdict": worst, "photographs": rows}
        return Outcome(text, facts, OK if worst == "hidden" else UNSAFE)


def _table(files: Sequence[Path], verdicts: Sequence[Verdict]) -> str:
    width = max(len("photograph"), *(len(file.name) for file in files))
    head = f"{'photograph':<{width}}  similarity   SSIM  strongest   verdict"
    rows = [
        f"{file.name:<{width}}  {v.similarity:10.2f}  {v.ssim:5.2f}  {v.threat:<10}  {v.level}"
        for file, v in zip(files, verdicts, strict=True)
    ]
    return "\n".join([head, *rows])
