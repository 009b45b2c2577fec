"""What drops values is read by who leaves out what is 0."""

from dataclasses import replace

import pytest

from facecrafter.attacks.base import AbstractAttack
from facecrafter.attacks.latent_search import LatentSearch
from facecrafter.attacks.pixel_search import PixelSearch
from facecrafter.attacks.shadow_decoder import ShadowDecoder
from facecrafter.attacks.where_sent import WhereSent
from facecrafter.defences.base import AbstractDefence, Offline
from facecrafter.defences.channel_pruning import ChannelPruning
from facecrafter.defences.dropout import Dropout
from facecrafter.defences.top_k import TopK
from facecrafter.errors import SettingError
from facecrafter.inversion import Descent
from facecrafter.paper.tables.rivals import DROPPING, LFW64_RIVALS
from facecrafter.paper.threats import WHERE_SENT
from facecrafter.randomness import stream
from facecrafter.types import Features, Images
from painted import decoder, encoder, error, plain, prior, private, view

LATENTS = LatentSearch(Descent(80, 0.2), restarts=2)
PIXELS = PixelSearch(ShadowDecoder(1), Descent(60, 0.01), restarts=2)


def read(attack: AbstractAttack, features: Features) -> Images:
    return attack.fit(view(decoder(14)), stream(0, "attack"))(features)


@pytest.mark.parametrize("attack", [LATENTS, PIXELS], ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize("defence", [ChannelPruning(0.6), Dropout(0.6)], ids=repr)
def test_reads_what_was_dropped(
    attack: LatentSearch | PixelSearch, defence: AbstractDefence
) -> None:
    protector = defence.fit(Offline(encoder(), prior()), stream(0, "fit"))
    released = protector(private(), stream(0, "defence")).features
    naive, knowing = (error(read(one, released)) for one in (attack, WhereSent(attack)))
    assert (knowing < naive).all()
    assert knowing.mean() < 0.95 * naive.mean()


def test_every_photograph_is_searched_in_pieces_too() -> None:
    whole, pieces = (read(WhereSent(LATENTS, batch), plain()) for batch in (64, 2))
    assert pieces.shape == whole.shape == private().shape
    assert error(pieces).mean() < 2 * error(whole).mean() + 1e-3


def test_more_at_once_than_the_search_takes_is_refused() -> None:
    with pytest.raises(SettingError, match="no more than the 8 that LatentSearch"):
        WhereSent(replace(LATENTS, batch=8), batch=9)


def test_those_that_drop_values_are_asked_to_stand_it_and_no_others() -> None:
    cells = [cell for cell in LFW64_RIVALS.cells() if cell.threat.name.endswith(WHERE_SENT)]
    asked = {type(cell.defence).__name__ for cell in cells}
    assert asked == {"Plain", *(kind.__name__ for kind in DROPPING)}
    assert TopK in DROPPING
    assert len(cells) == 2 * sum(type(one).__name__ in asked for one in LFW64_RIVALS.defences)
