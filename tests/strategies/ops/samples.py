"""Arrays for the tests of the kernels."""

import numpy as np

from signfed.strategies.ops.kernels import bits

SIZES = (0, 1, 7, 8, 9, 63, 64, 65, 1000)
ROWS = (1, 2, 3, 8, 15, 50, 64, 99, 200)
FEW = 50  # rows up to which the eager forms are compared too: they are slow


def packed_rows(n, n_coordinates, seed=0, agreement=0.0):
    """uint8 [n, ceil(N/8)]: random bits; a share `agreement` of the coordinates is unanimous."""
    random = np.random.default_rng([seed, n, n_coordinates])
    values = random.standard_normal((n, n_coordinates))
    same = random.random(n_coordinates) < agreement
    values[:, same] = random.choice([-1.0, 1.0], same.sum())
    return bits.pack(values)


def weights_of(shape, seed):
    """Weights whose sums depend on the order: some huge, some tiny, some 0 or negative."""
    random = np.random.default_rng(seed)
    weights = random.standard_normal(shape) * 10.0 ** random.integers(-6, 7, shape)
    weights[random.random(shape) < 0.1] = 0.0
    return frozen(weights.astype(np.float32))


def cuts(n_coordinates, seed):
    """Edges of five blocks, some of which may be empty."""
    inner = np.random.default_rng(seed).integers(0, n_coordinates + 1, 4)
    return [0, *np.sort(inner).tolist(), n_coordinates]


def counts_and_tables(n, n_coordinates, seed=0):
    """Every row has its own number of rounds, the first has none."""
    random = np.random.default_rng([seed, n, n_coordinates])
    rounds = [0, *random.integers(1, 300, n - 1).tolist()]
    counts = [random.integers(0, r + 1, n_coordinates).astype(np.uint16) for r in rounds]
    tables = [random.standard_normal(r + 1).astype(np.float32) for r in rounds]
    tables[0][:] = 0.0
    return counts, tables


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def frozen(*arrays):
    """The arrays, which nobody can write to any more."""
    for array in arrays:
        array.setflags(write=False)
    return arrays if len(arrays) > 1 else arrays[0]
