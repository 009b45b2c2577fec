"""The photographs of a data set whose attributes are known, and what these are."""

import numpy as np
import torch
from torch import Tensor

from facecrafter.data.faces import Faces
from facecrafter.errors import DataError


def labelled(faces: Faces, why: str) -> tuple[Faces, Tensor]:
    """Those photographs, and their labels (photographs, attributes), 0 to 1.

    `why`: who needs them. Raises `DataError` where no face has attributes.
    """
    known = faces.known()
    if not faces.attribute_names or len(known) == 0:
        raise DataError(f"no face has attributes: {why}.")
    found = faces.take(known)
    return found, torch.from_numpy(np.ascontiguousarray(found.attributes))
