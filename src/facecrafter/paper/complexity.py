"""Empirical Rademacher complexity of families of critics on given faces (App. D).

R = E sup_D |1/b sum_i s_i D(x_i)| over random signs s_i: how well some critic of the family follows
noise. For two families the supremum is exact for each draw of signs; for convolutions it is sought
by gradient ascent, which finds less than the supremum or as much.
"""

from collections.abc import Callable, Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor
from torch.nn.functional import conv2d, leaky_relu

from facecrafter.errors import DataError, SettingError
from facecrafter.metrics.pii import distances
from facecrafter.models.critic import Critic
from facecrafter.randomness import child, permutation
from facecrafter.training.penalty import gradient_penalty
from facecrafter.types import Images, Scores

Weights = list[Tensor]  # of convolutions, first to last
LEAK = 0.2  # of a leaky ReLU; paper, Table XI
PENALTY = 20.0  # weight of the gradient penalty; authors' code
RATE = 5e-4  # Adam; authors' code
MINIBATCH = 32  # authors' code
STEP = 0.2  # of an ascent, as a share of a layer's norm, falling to 0; ours


def signs(draws: int, count: int, rng: Generator) -> Tensor:
    """Rademacher's: +1 or -1 with equal chance, (draws, count), float64, on the CPU."""
    if not (draws >= 1 and count >= 1):
        raise SettingError(f"{draws} draws of {count} signs: give 1 or more of each.")
    return torch.randint(2, (draws, count), generator=rng).double() * 2 - 1


def linear(faces: Tensor, drawn: Tensor, rows: Tensor | None = None) -> Tensor:
    """Suprema over D(x) = w x with |w| <= 1, one for each row of signs: |sum_i s_i x_i| / b.

    Eq. 18 with a single layer. `faces`: (b, ...); everything after the first axis is one point.
    `rows`: (draws, b), which of the faces stand where, for each row of signs; None = as they come.
    """
    points, rows = _points(faces, drawn, rows)
    sums = [row.to(points) @ points[at] for row, at in zip(drawn, rows, strict=True)]
    return torch.stack(sums).norm(dim=1).cpu() / drawn.shape[1]


def lipschitz(faces: Tensor, drawn: Tensor, rows: Tensor | None = None) -> Tensor:
    """Suprema over all 1-Lipschitz D with D(0) = 0, one for each row of signs; exact.

    By duality (Def. 1) it is what it costs to carry the faces of sign + to those of sign -; what
    is left over is carried to the origin. No family of 1-Lipschitz critics without biases is
    greater, and epsilon-PII as measured here is of this one. Arguments as in `linear`.
    """
    points, rows = _points(faces, drawn, rows)
    between, length = distances(points, points).cpu(), points.norm(dim=1).cpu()
    found = [
        _carried(between[at][:, at], length[at], row) for row, at in zip(drawn, rows, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)


def _carried(between: Tensor, length: Tensor, row: Tensor) -> float:
    above, below = ((row == side).nonzero().flatten() for side in (1, -1))
    few, many = sorted((above, below), key=len)
    to_origin = length[many].expand(len(many) - len(few), -1)
    costs = torch.cat([between[few][:, many], to_origin]).numpy()
    return float(costs[linear_sum_assignment(costs)].sum()) / len(row)


def chosen(one: Tensor, other: Tensor, drawn: Tensor, rounds: int = 10) -> Tensor:
    """Of two reconstructions of each face those that let a linear critic follow the signs best.

    Part of a supremum over features: R(H) leaves each face's feature free. Returns rows of
    `torch.cat([one, other])`, (draws, b). Critic and choice are bettered in turns, so the supremum
    is missed or met, never exceeded.
    """
    pair = torch.stack([one, other]).flatten(2).double()
    second = torch.zeros(drawn.shape, dtype=torch.bool)
    for number, row in enumerate(drawn.to(pair)):
        for _ in range(rounds):
            picked = torch.where(second[number, :, None].to(pair.device), pair[1], pair[0])
            second[number] = (row * ((pair[1] - pair[0]) @ (row @ picked)) > 0).cpu()
    return torch.arange(len(one)) + len(one) * second


def score(weights: Weights, images: Images) -> Scores:
    """Table XI's critic as Eq. 18 has it: convolutions and leaky ReLUs, no biases, no norms."""
    maps = images
    for weight in weights[:-1]:
        maps = leaky_relu(conv2d(maps, weight, stride=2, padding=2), LEAK)
    return conv2d(maps, weights[-1]).mean(dim=(1, 2, 3))


def matrix_norms(weights: Weights, side: int) -> list[float]:
    """|W_i|_F of each convolution as the matrix that it is on images of `side` pixels (Eq. 18)."""
    found: list[float] = []
    maps = torch.ones(1, weights[0].shape[1], side, side)
    for number, weight in enumerate(weights):
        square = weight.detach().cpu().square()
        last = number == len(weights) - 1
        used = conv2d(maps, square) if last else conv2d(maps, square, stride=2, padding=2)
        found.append(used.sum().sqrt().item())  # each weight once for each place where it is used
        maps = torch.ones_like(used)
    return found


def trained(seen: Tensor, average: Tensor, width: int, steps: int, rng: Generator) -> Weights:
    """A critic between two sets of faces, kept near 1-Lipschitz as in Alg. 1, line 7.

    Its layers' norms are those that the family of Eq. 18 must allow for. `seen` and `average`:
    (b, 3, height, width), RGB, 0 to 1. Raises `DataError`.
    """
    if seen.shape != average.shape:
        raise DataError(
            f"faces have shapes {tuple(seen.shape)} and {tuple(average.shape)}: give equally many "
            "of one size."
        )
    weights = _fresh(width, child(rng, "weights"), seen)
    optimiser = torch.optim.Adam(weights, RATE)
    for _ in range(steps):
        some = [
            faces[permutation(len(faces), rng)[:MINIBATCH].to(faces.device)]
            for faces in (seen, average)
        ]
        mine, theirs = some
        penalty = gradient_penalty(lambda images: score(weights, images), mine, theirs, rng)
        difference = score(weights, mine).mean() - score(weights, theirs).mean()
        optimiser.zero_grad()
        (difference + PENALTY * penalty).backward()
        optimiser.step()
    return [weight.detach() for weight in weights]


def _fresh(width: int, rng: Generator, like: Tensor) -> Weights:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.initial_seed())
        layers = Critic(width).layers
    kernels = (layer.weight for layer in layers if isinstance(layer, torch.nn.Conv2d))
    return [kernel.detach().to(like).requires_grad_() for kernel in kernels]


def ascended(
    weights: Weights, faces: Images, row: Tensor, steps: int, other: Images | None = None
) -> float:
    """The greatest |1/b sum_i s_i D(x_i)| that an ascent finds: at most the supremum.

    D has the layers of `weights`, from which the ascent starts, and Frobenius norms no larger than
    theirs. Their norms as matrices, which Eq. 18 limits, were up to 3 % larger in the product.
    With `other`, of two reconstructions of each face the better one counts, as in `chosen`.
    """
    sides = [faces] if other is None else [faces, other]
    with torch.enable_grad():
        return _climb(weights, lambda own: _followed(own, sides, row.to(faces)), steps)


def _followed(weights: Weights, sides: Sequence[Images], row: Tensor) -> Tensor:
    values = torch.stack([row * score(weights, side) for side in sides])
    return values.amax(dim=0).mean()


def _climb(start: Weights, value_of: Callable[[Weights], Tensor], steps: int) -> float:
    own, limits = [weight.clone() for weight in start], [weight.norm() for weight in start]
    own[-1] = own[-1] * (1 if value_of(own) >= 0 else -1)  # whose negative is in the family, too
    best = value_of(own).item()
    for step in range(steps):
        own = [weight.detach().requires_grad_() for weight in own]
        slopes = torch.autograd.grad(value_of(own), own)
        far = STEP * (1 - step / steps)
        moved = [
            weight + far * limit * slope / slope.norm().clamp_min(1e-30)
            for weight, slope, limit in zip(own, slopes, limits, strict=True)
        ]
        # on the edge of what is allowed, where a critic that scales with its layers is greatest
        own = [
            weight * (limit / weight.norm()) for weight, limit in zip(moved, limits, strict=True)
        ]
        best = max(best, value_of(own).item())
    return best


def _points(faces: Tensor, drawn: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
    rows = torch.arange(len(faces)).expand(len(drawn), -1) if rows is None else rows
    if drawn.ndim != 2 or rows.shape != drawn.shape:
        raise DataError(
            f"{len(faces)} faces, signs of shape {tuple(drawn.shape)}: give (draws, faces)."
        )
    return faces.detach().flatten(1).double(), rows
