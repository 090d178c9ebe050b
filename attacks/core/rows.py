"""What attacks compute from rows, float32 [n, N]: in float64, without a copy of all the rows.

Rows are arrays or, on a device, tensors (`attacks.core.arrays`), and what is returned is the same.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import cast, is_known_finite, is_tensor, namespace, zeros
from signfed.strategies.core.options import Range

TINY = float(np.finfo(np.float32).tiny)  # a zero that keeps its sign on a sign channel
WIDTH = 1 << 14  # columns at a time: 40 rows of 11 million float64 would take 3.5 GB
ON_DEVICE = 1 << 23  # values of a wider piece, where each is several kernels: 64 MiB of float64

Share = Annotated[
    float,
    Field(ge=0, le=1, description="share of the coordinates that is attacked"),
    Range(0.05, 1.0),
]


def without_tensors(values: Any) -> Any:
    """Return a tensor as an array, and a list of tensors as one of arrays; all else as it is."""
    if isinstance(values, list | tuple):
        return [without_tensors(each) for each in values]
    if not hasattr(values, "detach"):  # so torch need not be there
        return values
    held = values.detach().cpu()
    return (held.float() if held.is_floating_point() else held).numpy()


def numbers(values: object, *, whole: bool = False) -> np.ndarray | None:
    """Return values as an array; None unless they are real numbers, or whole ones.

    Parameters
    ----------
    values : object
        Anything.
    whole : bool
        Whether they have to be integers.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        return None
    return array if array.dtype.kind in ("iu" if whole else "iuf") else None


def described(values: object) -> str:
    """Return in words what came where an array was expected."""
    try:
        array = np.asarray(values)
    except ValueError:
        return f"a {type(values).__name__} with rows of different lengths"
    kind = type(values).__name__
    return (
        kind if array.dtype == object else f"{kind} of shape {array.shape} and type {array.dtype}"
    )


def as_asked(
    attack: str, returned: object, given: np.ndarray, *, like: str = "own", whole: bool = False
) -> np.ndarray:
    """Return what an attack returned, in the type of what it was given.

    Parameters
    ----------
    attack : str
        Name of the attack.
    returned : object
        Anything.
    given : ndarray
        What it was given.
    like : str
        The attribute of the view that holds it.
    whole : bool
        Whether integers are expected.

    Raises
    ------
    ValueError
        When it is anything but real (`whole`: whole) numbers in the shape of what it was given.
    """
    if is_tensor(given):
        return _tensor_as_asked(attack, returned, given)
    array = numbers(returned, whole=whole)
    if array is None or array.shape != given.shape:
        raise ValueError(
            f"attack {attack!r}: expected an array of {'whole' if whole else 'real'} numbers of "
            f"shape {given.shape}, as view.{like}, with a row for each Byzantine worker; got "
            f"{described(returned)}"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 is sent as infinity
        return array.astype(given.dtype, copy=False)


def _tensor_as_asked(attack: str, returned: Any, given: Any) -> Any:
    """The same for an attack on tensors; values stay on their device."""
    found = returned.shape if is_tensor(returned) else described(returned)
    if found != given.shape:
        raise ValueError(
            f"attack {attack!r}: expected a tensor of real numbers of shape {tuple(given.shape)}, "
            f"as view.own, on {given.device}; got {found}"
        )
    return returned.to(given)


def is_finite(rows: np.ndarray) -> np.ndarray:
    """Return which rows hold neither NaN nor infinity, bool [n]."""
    if is_tensor(rows):
        return namespace(rows).isfinite(rows).all(1)
    return np.array([np.isfinite(row).all() for row in rows], dtype=bool)


def finite(rows: np.ndarray) -> np.ndarray:
    """Return the rows that hold neither NaN nor infinity: no server counts the others.

    Examples
    --------
    >>> finite(np.array([[1.0, 2.0], [np.nan, 0.0]]))
    array([[1., 2.]])
    """
    if is_known_finite(rows):  # to look would mean to wait for the device
        return rows
    kept = is_finite(rows)
    return rows if kept.all() else rows[kept]


def mean(rows: np.ndarray) -> np.ndarray:
    """Return the mean of finite rows, float64 [N]; 0 where there are none."""
    return rows.sum(axis=0, dtype=namespace(rows).float64) / max(1, len(rows))


def centred(
    rows: np.ndarray, centre: np.ndarray, width: int = WIDTH
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows - centre in float64, a block of columns at a time, each with its columns.

    Parameters
    ----------
    rows : ndarray, float32 [n, N]
    centre : ndarray, float64 [N]
    width : int
        Columns of a block. Sums over blocks depend on it.
    """
    for start in range(0, rows.shape[1], width):
        columns = slice(start, start + width)
        yield columns, rows[:, columns] - centre[columns]


def deviation(rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the standard deviation of finite rows around their mean, float64 [N].

    It divides by n - 1, as torch.std does, and is 0 for fewer than two rows.

    Parameters
    ----------
    rows : ndarray, float32 [n, N]
    centre : ndarray, float64 [N]
        Their mean.

    Examples
    --------
    >>> rows = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    >>> deviation(rows, mean(rows))
    array([2., 0.])
    """
    xp = namespace(rows)
    squares = zeros(rows.shape[1], rows, xp.float64)
    for columns, block in centred(rows, centre, _width(rows)):
        block *= block
        squares[columns] = block.sum(axis=0)
    return xp.sqrt(squares / max(1, len(rows) - 1))


def _width(rows: Any) -> int:
    """Columns of a piece where each is computed by itself; whole WIDTHs, as on a CPU."""
    wide = is_tensor(rows) and rows.device.type != "cpu"
    return WIDTH * max(1, ON_DEVICE // max(1, len(rows)) // WIDTH) if wide else WIDTH


def signs(values: np.ndarray) -> np.ndarray:
    """Return +1 or -1 for each value, float32 of the same shape; sign(0) = +1."""
    xp = namespace(values)
    if xp is np:
        return np.where(values >= 0, np.float32(1.0), np.float32(-1.0))
    return cast(xp.where(values >= 0, 1.0, -1.0), xp.float32)


def lowest(values: np.ndarray, share: float) -> np.ndarray:
    """Return which coordinates are the floor(share N) with the lowest values, bool [N].

    Among equal values the first coordinates are taken.

    Parameters
    ----------
    values : ndarray, float [N]
    share : float
        In [0, 1].

    Examples
    --------
    >>> lowest(np.array([3.0, 1.0, 2.0, 1.0]), 0.5)
    array([False,  True, False,  True])
    """
    first = places_of_lowest(values, share)
    chosen = zeros(len(values), values, namespace(values).bool_)
    if is_tensor(chosen):
        return chosen.index_fill(0, first, True)
    chosen[first] = True
    return chosen


def places_of_lowest(values: np.ndarray, share: float) -> np.ndarray:
    """Return the places of the floor(share N) lowest values, int64, from the lowest up.

    Parameters
    ----------
    values : ndarray, float [N]
    share : float
        In [0, 1].
    """
    count = int(share * len(values) + 1e-9)  # 0.29 * 100 is 28.999...
    return namespace(values).argsort(values, kind="stable")[:count]


def all_send(vector: np.ndarray, n_byzantine: int) -> np.ndarray:
    """Return the same row for every Byzantine worker, float32 [b, N].

    Parameters
    ----------
    vector : ndarray, float [N]
        The row.
    n_byzantine : int
        b.
    """
    xp = namespace(vector)
    return xp.tile(cast(vector, xp.float32), (n_byzantine, 1))
