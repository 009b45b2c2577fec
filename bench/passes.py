"""How much work a crafting is, whatever the machine: passes through each network, operations.

    with counting(offline) as (watched, passes):
        protector = recipe.fit(watched, rng)

A pass is one image through one network. A backward pass is counted where a gradient enters the
network's output, so each product J' u is one; a product J v by dual numbers is a `JVP`, which
computes the answer along with its tangent. A backward pass that is itself differentiated (a
critic's gradient penalty) costs another one, which has no output to watch: it is counted as
`twice`.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from facecrafter.defences.base import Offline
from facecrafter.models.critic import Critic
from facecrafter.types import Features, Images

Passes = Counter[str]  # "Enc forward", "G backward" ...: images that passed so


@contextmanager
def counting(offline: Offline) -> Generator[tuple[Offline, Passes]]:
    """The same networks, watched, and what has passed through them so far."""
    passes: Passes = Counter()
    names: dict[nn.Module, str] = {offline.prior: "G"}
    if offline.amortiser is not None:
        names[offline.amortiser] = "Amor"
    if offline.surrogate is not None:
        names[offline.surrogate.layers] = "surrogate"  # `signature` passes its layers alone

    def look(module: nn.Module, _given: object, output: object) -> None:
        name = "D" if isinstance(module, Critic) else names.get(module)
        if name is not None and isinstance(output, Tensor):
            _watch(name, output, passes)

    def encode(images: Images) -> Features:
        features = offline.encode(images)
        _watch("Enc", features, passes)
        return features

    handle = register_module_forward_hook(look)
    try:
        yield replace(offline, encode=encode), passes
    finally:
        handle.remove()


class Operations(TorchDispatchMode):
    """Counts additions and multiplications of convolutions and matrix products while it is on.

    torch's own `FlopCounterMode` holds the formulas, but also follows modules, which
    `torch.autograd.grad` with respect to a leaf does not allow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += formula(*args, **given, out_val=result)
        return result


def _watch(name: str, output: Tensor, passes: Passes) -> None:
    count = len(output)
    dual = forward_ad.unpack_dual(output).tangent is not None
    passes[f"{name} {'JVP' if dual else 'forward'}"] += count
    if output.requires_grad:

        def entered(_gradient: Tensor) -> None:
            again = torch.is_grad_enabled()  # this backward pass is recorded: create_graph=True
            passes[f"{name} {'twice' if again else 'backward'}"] += count

        output.register_hook(entered)
