"""Arrays for the tests of the kernels."""

import numpy as np

from strategies.kernels import bits

SIZES = (0, 1, 7, 8, 9, 63, 64, 65, 1000)
ROWS = (1, 2, 3, 8, 15, 50, 64, 99, 200)
FEW = 15  # rows up to which the eager forms are compared too: they are slow


def packed_rows(n, n_coordinates, seed=0, agreement=0.0):
    """uint8 [n, ceil(N/8)]: random bits; a share `agreement` of the coordinates is unanimous."""
    random = np.random.default_rng([seed, n, n_coordinates])
    values = random.standard_normal((n, n_coordinates))
    same = random.random(n_coordinates) < agreement
    values[:, same] = random.choice([-1.0, 1.0], same.sum())
    return bits.pack(values)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def frozen(*arrays):
    """The arrays, which nobody can write to any more."""
    for array in arrays:
        array.setflags(write=False)
    return arrays if len(arrays) > 1 else arrays[0]
