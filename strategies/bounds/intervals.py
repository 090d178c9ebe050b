"""Numbers and the intervals that they have to lie in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Numbers = float | Sequence[float] | np.ndarray


def numbers(name: str, values: Numbers, low: float, high: float, ends: str = "[]") -> np.ndarray:
    """Return float64 values, known to be between low and high.

    NaN is in no interval, infinity in none with an open end there.

    Parameters
    ----------
    name : str
        What an error calls them.
    values : Numbers
        One or several.
    low, high : float
        Ends of the interval.
    ends : str
        Its brackets; a round one leaves its end out.

    Raises
    ------
    ValueError
        At the first value outside.
    """
    array = np.asarray(values, dtype=np.float64)
    above = array >= low if ends[0] == "[" else array > low
    below = array <= high if ends[1] == "]" else array < high
    if not (above & below).all():
        found = array if array.ndim == 0 else array[~(above & below)][0]
        raise ValueError(f"{name}: expected a number in {interval(low, high, ends)}, got {found:g}")
    return array


def number(name: str, value: float, low: float, high: float, ends: str = "[]") -> float:
    """Return one number between low and high, as in `numbers`.

    Parameters
    ----------
    name : str
        What an error calls it.
    value : float
        One number.
    low, high, ends
        As in `numbers`.

    Raises
    ------
    ValueError
        When it is outside, or not one.
    """
    if np.ndim(value):
        raise ValueError(f"{name}: expected one number, got {np.size(value)}")
    return float(numbers(name, value, low, high, ends))


def at_most(name: str, value: int, limit: int) -> int:
    """Return a whole number that is not above its limit.

    Parameters
    ----------
    name : str
        What an error calls it.
    value, limit : int
        At least 0.

    Raises
    ------
    ValueError
        When it is above.
    """
    if value > limit:
        raise ValueError(f"{name}: expected a whole number from 0 to {limit}, got {value}")
    return value


def gap(start: str, f_start: float, lower: str, f_lower: float) -> float:
    """Return f_start - f_lower >= 0: how far an objective starts above its lower bound.

    Parameters
    ----------
    start, lower : str
        What an error calls them.
    f_start, f_lower : float
        The objective at the start, and its bound.

    Raises
    ------
    ValueError
        When the start is below the bound.
    """
    if f_start < f_lower:
        raise ValueError(f"{start}: expected at least {lower} = {f_lower:g}, got {f_start:g}")
    return f_start - f_lower


def interval(low: float, high: float, ends: str) -> str:
    """Return an interval as it is written: "[0, 1)".

    Parameters
    ----------
    low, high : float
        Its ends.
    ends : str
        Its brackets.
    """
    return f"{ends[0]}{low:g}, {high:g}{ends[1]}"
