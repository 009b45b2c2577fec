"""Send features of a face to the cloud without sending the face."""

from facecrafter.bundle import Bundle
from facecrafter.bundle import load as load_bundle
from facecrafter.data.folder import folder
from facecrafter.defences.base import Offline, Release
from facecrafter.defences.crafter import Crafter
from facecrafter.defences.remembered import Remembered
from facecrafter.defences.shuffled import Shuffled
from facecrafter.defences.stand_in import StandIn
from facecrafter.defences.utility import TaskUtility
from facecrafter.errors import FacecrafterError
from facecrafter.randomness import secret, stream
from facecrafter.wire import dumps, loads

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "Crafter",
    "FacecrafterError",
    "Offline",
    "Release",
    "Remembered",
    "Shuffled",
    "StandIn",
    "TaskUtility",
    "__version__",
    "dumps",
    "folder",
    "load_bundle",
    "loads",
    "secret",
    "stream",
]
