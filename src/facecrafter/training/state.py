"""All that changes while something is trained or crafted, as named tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

Kept = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class State:
    """Things by name, each changed in place from step to step."""

    modules: Mapping[str, nn.Module] = field(default_factory=dict[str, nn.Module])
    optimisers: Mapping[str, Optimizer] = field(default_factory=dict[str, Optimizer])
    tensors: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    generators: Mapping[str, Generator] = field(default_factory=dict[str, Generator])

    def gather(self) -> dict[str, Tensor]:
        """Copies on the CPU."""
        return dict(self._gather())

    def scatter(self, kept: Kept) -> None:
        """Put back what `gather` gave. Raises `RuntimeError` or `KeyError` for that of others."""
        for name, module in self.modules.items():
            module.load_state_dict(under(kept, f"module/{name}/"))
        for name, optimiser in self.optimisers.items():
            _restore(optimiser, under(kept, f"optimiser/{name}/"))
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(kept[f"tensor/{name}"])
        for name, generator in self.generators.items():
            generator.set_state(kept[f"generator/{name}"])

    def _gather(self) -> Iterator[tuple[str, Tensor]]:
        for name, module in self.modules.items():
            for key, value in module.state_dict().items():
                yield f"module/{name}/{key}", _copy(value)
        for name, optimiser in self.optimisers.items():
            for number, state in optimiser.state_dict()["state"].items():
                for key, value in state.items():
                    yield f"optimiser/{name}/{number}/{key}", _copy(torch.as_tensor(value))
        for name, tensor in self.tensors.items():
            yield f"tensor/{name}", _copy(tensor)
        for name, generator in self.generators.items():
            yield f"generator/{name}", generator.get_state()


def under(kept: Kept, prefix: str) -> dict[str, Tensor]:
    """What has names that begin so, without the beginning."""
    return {k.removeprefix(prefix): v for k, v in kept.items() if k.startswith(prefix)}


def _copy(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous().clone()


def _restore(optimiser: Optimizer, kept: Kept) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in kept.items():
        number, name = key.split("/")
        state.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
