"""What a training rests on besides its recipe: faces and networks, each told by a SHA-256."""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor, nn

from facecrafter.data.faces import Faces
from facecrafter.data.pixels import Pixels
from facecrafter.training import checkpoints

Basis = Faces | Mapping[str, Tensor] | Callable[..., object]  # a network is a function, too
Networks = Mapping[str, nn.Module]


def digest(basis: Basis) -> str:
    """Of pixels and labels, or of all weights; the same on every device.

    A method such as `target.encode` stands for its network. Of another function nothing is known:
    all of them have the digest "".
    """
    if isinstance(basis, Faces):
        return _of_faces(basis)
    network = getattr(basis, "__self__", basis)
    weights = network.state_dict() if isinstance(network, nn.Module) else network
    return checkpoints.digest(weights) if isinstance(weights, Mapping) else ""


def _of_faces(faces: Faces) -> str:
    """Reads in pieces; names of files and people teach no network and are left out."""
    found = hashlib.sha256(repr((faces.pixels.shape, faces.attribute_names)).encode())
    for values in (*Pixels.of(faces.pixels).pieces(), faces.identities, faces.attributes):
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()
