"""A scene that a process dies of; a module of its own, which a spawned process can import."""

import os
import signal

from facecrafter.paper.scenes import Scene
from facecrafter.paper.tiny import tiny


def killed(parent: int) -> Scene:
    """A scene that the parent can make; any other process that makes it is killed."""
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny()
