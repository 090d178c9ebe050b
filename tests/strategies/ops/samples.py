"""Arrays for the tests of the operations."""

import numpy as np
import torch

from signfed.strategies.ops.packed import PackedSigns
from tests.strategies.ops import plain

SIZES = (0, 1, 7, 8, 9, 63, 64, 65, 1000)
ROWS = (1, 2, 3, 8, 15, 50, 64, 99, 200)
FEW = 15  # rows up to which tensor operations are compared too: they are slow on a CPU


def packed_rows(n, n_coordinates, seed=0, agreement=0.0):
    """uint8 [n, ceil(N/8)]: random bits; a share `agreement` of the coordinates is unanimous."""
    random = np.random.default_rng([seed, n, n_coordinates])
    values = random.standard_normal((n, n_coordinates))
    same = random.random(n_coordinates) < agreement
    values[:, same] = random.choice([-1.0, 1.0], same.sum())
    return plain.pack(values)


def signs_of(packed, n_coordinates, place=lambda tensor: tensor):
    """PackedSigns of a copy of the bits, at that place."""
    return PackedSigns(place(torch.from_numpy(packed.copy())), n_coordinates)


def weights_of(shape, seed):
    """Weights whose sums depend on the order: some huge, some tiny, some 0 or negative."""
    random = np.random.default_rng(seed)
    weights = random.standard_normal(shape) * 10.0 ** random.integers(-6, 7, shape)
    weights[random.random(shape) < 0.1] = 0.0
    return frozen(weights.astype(np.float32))


def counts_and_tables(n, n_coordinates, seed=0):
    """uint16 [N] per row and float32 [n, T]; each row was counted in a number of rounds of its own,
    the first in none."""
    random = np.random.default_rng([seed, n, n_coordinates])
    rounds = [0, *random.integers(1, 300, n - 1).tolist()]
    counts = [random.integers(0, r + 1, n_coordinates).astype(np.uint16) for r in rounds]
    tables = random.standard_normal((n, max(rounds) + 1)).astype(np.float32)
    tables[0] = 0.0
    return counts, tables


def same_bits(a, b):
    """Whether two arrays, or what a tensor or PackedSigns holds, agree to the last bit."""
    a, b = (_array(x) for x in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _array(values):
    values = values.bits if isinstance(values, PackedSigns) else values
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values


def frozen(*arrays):
    """The arrays, which nobody can write to any more."""
    for array in arrays:
        array.setflags(write=False)
    return arrays if len(arrays) > 1 else arrays[0]
