"""What colluders compute from rows, float32 [n, N]: in float64, without a copy of all the rows."""

from collections.abc import Iterator

import numpy as np

WIDTH = 1 << 14  # columns at a time: 40 rows of 11 million float64 would take 3.5 GB


def is_finite(rows: np.ndarray) -> np.ndarray:
    """Which rows hold neither NaN nor inf: bool [n]."""
    return np.array([np.isfinite(row).all() for row in rows], dtype=bool)


def finite(rows: np.ndarray) -> np.ndarray:
    """The rows that hold neither NaN nor inf: no server would count the others."""
    kept = is_finite(rows)
    return rows if kept.all() else rows[kept]


def mean(rows: np.ndarray) -> np.ndarray:
    """Mean of finite rows: float64 [N]; 0 where there are none."""
    return rows.sum(axis=0, dtype=np.float64) / max(1, len(rows))


def centred(rows: np.ndarray, centre: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """rows - centre in float64, a block of columns at a time, each with its columns."""
    for start in range(0, rows.shape[1], WIDTH):
        columns = slice(start, start + WIDTH)
        yield columns, rows[:, columns] - centre[columns]


def deviation(rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Standard deviation of finite rows around their mean: float64 [N]; 0 for fewer than two rows.

    Divides by n - 1, as torch.std does.
    """
    squares = np.zeros(rows.shape[1])
    for columns, block in centred(rows, centre):
        squares[columns] = np.square(block).sum(axis=0)
    return np.sqrt(squares / max(1, len(rows) - 1))


def signs(values: np.ndarray) -> np.ndarray:
    """+1 or -1, of 0 too: +1. float32, of the same shape."""
    return np.where(values >= 0, np.float32(1.0), np.float32(-1.0))


def lowest(values: np.ndarray, share: float) -> np.ndarray:
    """Which coordinates are the floor(share * N) with the lowest values: bool [N].

    Of equal ones, the first. share: in [0, 1].
    """
    chosen = np.zeros(len(values), dtype=bool)
    count = int(share * len(values) + 1e-9)  # 0.29 * 100 is 28.999...
    chosen[np.argsort(values, kind="stable")[:count]] = True
    return chosen


def all_send(vector: np.ndarray, n_attackers: int) -> np.ndarray:
    """The same row for every attacker: float32 [b, N]."""
    return np.tile(vector.astype(np.float32), (n_attackers, 1))
