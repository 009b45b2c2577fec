"""What every network here has in common: it can be made again, and it can be fixed."""

from typing import TypeVar

from torch import nn

Arguments = dict[str, int | tuple[int, ...]]
AnyModule = TypeVar("AnyModule", bound=nn.Module)


class AbstractPart(nn.Module):
    """A network that remembers what it was made with, so that a bundle can make it again."""

    arguments: Arguments  # of its constructor, by name


def frozen(module: AnyModule) -> AnyModule:
    """The same module in evaluation mode, with weights that take no gradient."""
    return module.eval().requires_grad_(False)
