"""`facecrafter azure`: whom Microsoft's Azure Face recognises in what attackers reconstruct."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facecrafter.commands.common import Outcome, UsageError
from facecrafter.commands.measurement import AbstractMeasurement
from facecrafter.commands.prepared import shadows_of
from facecrafter.data.faces import Faces
from facecrafter.defences.plain import Plain
from facecrafter.errors import SettingError
from facecrafter.paper.azure import Judging, Setting, delete_left, enrolled, left
from facecrafter.paper.azure_page import write_page
from facecrafter.paper.azure_results import Results
from facecrafter.paper.azure_service import FaceService
from facecrafter.paper.results import AbstractResults
from facecrafter.paper.scenes import Scene
from facecrafter.paper.store import Record, Store
from facecrafter.paper.tables.azure import ATTACKS, DEFENCES
from facecrafter.paper.threats import all_threats

KEY = "FACECRAFTER_AZURE_KEY"  # of the environment; an option would stand in the list of processes

SENT = (
    "photographs of real people to Microsoft: private train photographs of LFW, up to 248 of each "
    "private person, all private test photographs, and what attackers reconstructed of these. The "
    "group of features that the service makes of the former is deleted at the end"
)


@dataclass(frozen=True, kw_only=True)
class Azure(AbstractMeasurement[Setting]):
    """Measure whom Microsoft's Azure Face recognises in reconstructions (App. K, Fig. 25).

    SENDS PHOTOGRAPHS OF REAL PEOPLE TO A THIRD PARTY: nothing is sent without the option
    `--send-photographs`. The service learns the private people from private train photographs, up
    to 248 of each, under numbers and not under names. It is then shown all private test
    photographs (the control) and what attackers reconstructed from their releases, and says whom
    it sees. The group of features that it makes is deleted at the end, also after an error and
    after Ctrl-C; features of pictures that it was only asked about expire after an hour. Whether
    you may send these photographs, and have the people identified, is for you to know.

    Needs a resource for Face of a paid tier, for which Microsoft approved identification. Its key
    is read from the environment variable FACECRAFTER_AZURE_KEY alone. A row takes some 1,130
    calls, learning the people some 2,000; the service takes ten in a second, and bills them.

    One JSON file for each defence, attack and seed goes to the folder of results; what is there is
    not asked again. Releases and reconstructions that `facecrafter evaluate` made are read from
    its folder of work; others are made first, before anything is sent, which takes as long as
    there. This was never run against the service itself, only against a server that answers as its
    documentation says.

    Example: facecrafter azure --root LFW --endpoint https://NAME.cognitiveservices.azure.com
    """

    # of your resource: https, with nothing after the name; http on this machine alone
    endpoint: str
    send_photographs: bool = False  # yes, send what the text above says
    # delete groups that a killed run left at the service; send nothing, measure nothing
    delete_left: bool = False
    # attacks whose name holds this text: white-box as in Fig. 25, deep for the strongest that
    # learns, "" for both
    threats: str = "white-box"
    results: Path = Path("results/azure")  # folder of what was measured, of its own
    notes: Path = Path("runs/azure-groups")  # folder for a note of each group until it is deleted

    def run(self) -> Outcome:
        if self.delete_left:
            gone = delete_left(self.service(), self.notes)
            return Outcome(f"{gone} groups deleted, nothing sent", {"deleted": gone})
        if not self.send_photographs:
            raise UsageError(
                f"this would send {SENT}. If you may do that, add --send-photographs. Nothing was "
                "sent."
            )
        self.service()  # refuses a wrong endpoint before minutes of work
        found = left(self.notes)
        if found:
            raise SettingError(
                f"a run before this one was killed, or still goes on: the group {found[0].name} "
                "may be at the service. If it was killed, run the same command with --delete-left "
                "first."
            )
        return super().run()

    def service(self) -> FaceService:
        """The user's. Raises `SettingError`."""
        key = os.environ.get(KEY)
        if not key:
            raise SettingError(
                f"the environment variable {KEY} is empty: put a key of your resource for Face "
                "there. It is no option, for others on this machine can read command lines."
            )
        return FaceService(self.endpoint, key)

    def settings(self, scene: Scene, private_train: Faces) -> Sequence[Setting]:
        seed = self.common.number()
        rest = (seed, scene, private_train, Store(self.results, self.work, self.spot_check))
        held = all_threats(decoders=1 + len(shadows_of(self.bundle)))
        names = [name for name in ATTACKS if self.threats in name]
        if not names:
            raise SettingError(f"no attack holds {self.threats!r}. There are {', '.join(ATTACKS)}.")
        return [
            Setting(Plain(), None, *rest),
            *(
                Setting(defence, held[name], *rest)
                for defence in self.chosen(DEFENCES)
                for name in names
            ),
        ]

    def kept(self) -> Results:
        return Results(self.results)

    def page(self) -> Path:
        return write_page(self.kept(), self.docs)

    def line(self, setting: Setting, record: Record) -> str:
        outcome, name = record.outcome, record.threat["name"]
        who = name if setting.threat is None else f"{setting.defence!r}, {name}"
        return (
            f"{who}: {outcome['eval_acc']:.3f} recognised, "
            f"{outcome['not_found']:.3f} without a face ({record.wall:.0f} s)"
        )

    def _measure(
        self, results: AbstractResults[Setting], waiting: Sequence[Setting]
    ) -> list[Record]:
        for setting in waiting:
            setting.pictures()  # may take hours: the group shall not lie at the service meanwhile
        if not waiting:
            return []
        known, judging = waiting[0].known, Judging()
        with enrolled(self.service(), known, judging, self.notes) as group:
            return super()._measure(Results(results.folder, group), waiting)
