"""A2: search another generator than the one that the defence reckons with (paper, V-B, VI-C)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Generator

from facecrafter.attacks.answered import CloudView
from facecrafter.attacks.base import AbstractAttack, AbstractInverter, AttackerView
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.errors import SettingError
from facecrafter.models.prior import Prior


@dataclass(frozen=True)
class ManyPriors(CloudView):
    """The view of someone who trained generators of his own, each with a name."""

    priors: Mapping[str, Prior] = field(default_factory=dict[str, Prior])


@dataclass(frozen=True)
class OtherPrior(AbstractAttack):
    """An attack with the prior of that name in the place of the device's, and no amortiser."""

    prior: str  # its name in the view
    attack: AbstractAttack = field(default_factory=LatentSearch)

    def fit(self, view: AttackerView, rng: Generator) -> AbstractInverter:
        prior = self.among(view.priors if isinstance(view, ManyPriors) else {})
        return self.attack.fit(replace(view, prior=prior, amortiser=None), rng)

    def among(self, priors: Mapping[str, Prior]) -> Prior:
        """The one of that name, or `SettingError`."""
        if self.prior not in priors:
            names = ", ".join(priors) or "none but the device's"
            raise SettingError(
                f"no prior is called {self.prior!r}; the attacker has {names}. Train it with "
                f"`facecrafter train prior --out FOLDER/{self.prior}` and give --priors FOLDER."
            )
        return priors[self.prior]
