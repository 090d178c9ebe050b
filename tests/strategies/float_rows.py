"""Rows for the tests of the float rules: honest ones around a direction, and Byzantine ones."""

import numpy as np


def rows_of(seed, n, f=0, n_coordinates=23, outlier=4.0):
    """Honest rows around a direction; the last f are off by `outlier` standard deviations."""
    draws = np.random.default_rng(seed)
    rows = draws.standard_normal(n_coordinates) + draws.standard_normal((n, n_coordinates))
    rows[n - f :] += outlier * draws.standard_normal(n_coordinates)
    return rows.astype(np.float32)


def near_duplicates(seed, n, n_coordinates=25):
    """Rows of norm 1e3 that are about 0.1 apart, each from the others by another distance."""
    draws = np.random.default_rng(seed)
    common = draws.standard_normal(n_coordinates)
    common *= 1e3 / np.linalg.norm(common)
    own = 0.02 * np.linspace(0.5, 1.5, n)[:, None]
    return (common + own * draws.standard_normal((n, n_coordinates))).astype(np.float32)


def tiny_copies(rows, f):
    """The last f rows become one row of 1e-30: alike to the last bit, and nearly zero."""
    changed = rows.copy()
    changed[len(rows) - f :] = 1e-30
    return changed


def far_out(rows, f, scale, seed=0):
    """The last f rows are moved by about this much in each coordinate, either way."""
    changed = rows.astype(np.float64)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (f, rows.shape[1]))
    changed[len(rows) - f :] += scale * signs * np.linspace(0.5, 1.0, f)[:, None]
    return changed.astype(np.float32)
