"""Checks of arguments: each says what was expected, with its range, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Numbers = float | Sequence[float] | np.ndarray


def numbers(name: str, values: Numbers, low: float, high: float, ends: str = "[]") -> np.ndarray:
    """`values` as float64, each between low and high; a round bracket of `ends` leaves its end out.

    NaN is in no interval, infinity in none with an open end there.
    """
    array = np.asarray(values, dtype=np.float64)
    above = array >= low if ends[0] == "[" else array > low
    below = array <= high if ends[1] == "]" else array < high
    if not (above & below).all():
        interval = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
        found = array if array.ndim == 0 else array[~(above & below)][0]
        raise ValueError(f"{name}: expected a number in {interval}, got {found:g}")
    return array


def number(name: str, value: float, low: float, high: float, ends: str = "[]") -> float:
    """One number between low and high, as in `numbers`."""
    if np.ndim(value):
        raise ValueError(f"{name}: expected one number, got {np.size(value)}")
    return float(numbers(name, value, low, high, ends))


def positive(name: str, value: float) -> float:
    """One finite number above 0."""
    return number(name, value, 0, np.inf, "()")


def not_negative(name: str, value: float) -> float:
    """One finite number of at least 0."""
    return number(name, value, 0, np.inf, "[)")


def finite(name: str, value: float) -> float:
    """One number that is neither infinite nor NaN."""
    return number(name, value, -np.inf, np.inf, "()")


def gap(start: str, f_start: float, lower: str, f_lower: float) -> float:
    """f_start - f_lower >= 0: how far an objective starts above its lower bound."""
    difference = finite(start, f_start) - finite(lower, f_lower)
    if difference < 0:
        raise ValueError(f"{start}: expected at least {lower} = {f_lower:g}, got {f_start:g}")
    return difference


def count(name: str, value: int, low: int, high: int | None = None) -> int:
    """One whole number between low and high (None: no upper end)."""
    if np.ndim(value) or not (value >= low and (high is None or value <= high) and value % 1 == 0):
        expected = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a whole number {expected}, got {value}")
    return int(value)


def workers(name: str, values: Numbers, ends: str = "()") -> np.ndarray:
    """One probability per worker: float64 [M], M >= 1. A single number is one worker."""
    array = np.atleast_1d(numbers(name, values, 0, 1, ends))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name}: expected one number per worker, got shape {array.shape}")
    return array


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed names."""
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}; got {value!r}")
    return value


def plain(values: np.ndarray) -> float | np.ndarray:
    """A float where the input was one, an array where it was one."""
    return float(values) if np.ndim(values) == 0 else values
