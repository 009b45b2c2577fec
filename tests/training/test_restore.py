"""Networks out of checkpoints: what was trained comes back, and goes into a bundle."""

import pytest
import torch

from facecrafter import bundle
from facecrafter.errors import DataError
from facecrafter.models.decoder import Decoder, LinearDecoder
from facecrafter.models.part import frozen
from facecrafter.models.split import ResNet
from facecrafter.training.decoder import DecoderTraining
from facecrafter.training.restore import restore


@pytest.mark.parametrize(
    ("network", "kind"), [("convolutional", Decoder), ("linear", LinearDecoder)]
)
def test_a_decoder_comes_back_and_into_a_bundle(faces, tmp_path, network, kind):
    encode = frozen(ResNet(2, 18, (2, 6, 8, 10))).encode
    recipe = DecoderTraining(network, width=4, epochs=1, batch=16)
    trained = recipe.fit(encode, faces, folder=tmp_path / "run")
    again = restore(tmp_path / "run", "decoder")
    assert isinstance(again, kind)
    assert again.arguments == trained.arguments
    features = encode(faces.images())
    assert torch.equal(again(features), trained(features))
    bundle.save(tmp_path / "bundle", {"decoder": again}, {}, "a card", half=False)
    loaded = bundle.load(tmp_path / "bundle").need("decoder")
    assert torch.equal(loaded(features), trained(features))


def test_another_network_is_not_taken_for_a_decoder(faces, tmp_path):
    encode = frozen(ResNet(2, 18, (2, 6, 8, 10))).encode
    DecoderTraining(width=4, epochs=1, batch=16).fit(encode, faces, folder=tmp_path)
    with pytest.raises(DataError, match="not that of a critic"):
        restore(tmp_path, "critic")
