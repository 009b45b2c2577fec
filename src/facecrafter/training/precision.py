"""Mixed precision where it is asked for."""

from contextlib import AbstractContextManager, nullcontext

import torch


def mixed(device: torch.device, on: bool) -> AbstractContextManager[object]:
    """Products in bfloat16, sums and weights in float32, if `on`."""
    return torch.autocast(device.type, torch.bfloat16) if on else nullcontext()
