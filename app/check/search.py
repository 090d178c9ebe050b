"""Rows that break a law, made as small as can be."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signfed.app.check.laws import Law
from signfed.app.check.subject import Subject

WORKERS = (3, 5, 11, 15, 2, 1)
COORDINATES = 6


@dataclass(frozen=True)
class Finding:
    """What became of one law.

    Attributes
    ----------
    law : Law
    holds : bool or None
        None where the law is not for such a rule.
    tried : int
        Matrices.
    problem : str
        What went wrong, on `rows`.
    rows : ndarray, float32 [n, N], or None
        The smallest counter-example that was found.
    """

    law: Law
    holds: bool | None
    tried: int = 0
    problem: str = ""
    rows: np.ndarray | None = None


def examples(least: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield matrices to try, float32 [n, 6]: normal, near one another, integers, signs, skewed.

    Parameters
    ----------
    least : int
        Rows that are needed.
    seed : int
    """
    random = np.random.default_rng(seed)
    for n in WORKERS:
        if n < least:
            continue
        shape = (n, COORDINATES)
        normal = random.standard_normal(shape)
        yield normal.astype(np.float32)
        yield (random.standard_normal(COORDINATES) + 0.1 * normal).astype(np.float32)
        yield random.integers(-3, 4, shape).astype(np.float32)
        yield random.choice([-1.0, 1.0], shape).astype(np.float32)
        yield (np.exp(2 * normal) * random.choice([-1, 1], shape)).astype(np.float32)


def examine(subject: Subject, law: Law, seconds: float = 4.0) -> Finding:
    """Try a law on many matrices; shrink the first that breaks it.

    Parameters
    ----------
    subject : Subject
    law : Law
    seconds : float
        At most that long, and half as long again for shrinking.

    Returns
    -------
    Finding
    """
    if law.of != "all" and (law.of == "signs") != subject.votes:
        return Finding(law, None)
    ends, tried = time.monotonic() + seconds, 0
    for seed in range(20):
        for rows in examples(law.least, seed):
            if not subject.serves(len(rows), 0):
                continue
            tried += 1
            if _problem(subject, law, rows):
                small = shrunk(subject, law, rows, seconds / 2)
                return Finding(law, False, tried, _problem(subject, law, small), small)
            if time.monotonic() > ends:
                return Finding(law, True, tried)
    return Finding(law, True, tried)


def shrunk(subject: Subject, law: Law, rows: np.ndarray, seconds: float) -> np.ndarray:
    """Return rows that break the law, with fewer rows, columns and digits.

    Parameters
    ----------
    subject : Subject
    law : Law
    rows : ndarray, float32 [n, N]
        They break it.
    seconds : float
        At most.
    """
    ends, going = time.monotonic() + seconds, True
    while going and time.monotonic() < ends:
        going = False
        for smaller in _smaller(rows):
            fits = len(smaller) >= law.least and subject.serves(len(smaller), 0)
            if fits and _problem(subject, law, smaller):
                rows, going = smaller, True
                break
            if time.monotonic() > ends:
                break
    return rows


def _smaller(rows: np.ndarray) -> Iterator[np.ndarray]:
    for i in range(len(rows)):
        yield np.delete(rows, i, axis=0)
    if rows.shape[1] > 1:
        for j in range(rows.shape[1]):
            yield np.delete(rows, j, axis=1)
    for digits in (0, 1, 2):
        rounded = np.round(rows, digits) + np.float32(0)  # no -0
        if not np.array_equal(rounded, rows):
            yield rounded
    for place in zip(*np.nonzero(rows), strict=True):
        for value in (0.0, 1.0, -1.0):
            if abs(value) < abs(rows[place]):
                changed = rows.copy()
                changed[place] = value
                yield changed


def _problem(subject: Subject, law: Law, rows: np.ndarray) -> str:
    try:
        return law.holds(subject, rows.copy())
    except Exception as error:  # whatever a user's rule does
        return raised(error)


def raised(error: Exception) -> str:
    """Return what was raised and where, in a line.

    Parameters
    ----------
    error : Exception
        As it was caught.
    """
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
