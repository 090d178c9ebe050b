"""Workers, attacks, noises and walks that the tests of the bounds have in common."""

from math import exp, sqrt

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

many = settings(max_examples=150)
probability = st.floats(0.001, 0.999)
unit = st.floats(0, 1)
ROUNDING = 1 + 1e-9


def lists(of, most=8):
    return st.lists(of, min_size=1, max_size=most)


@st.composite
def flipped(draw):
    """p of M workers, and how many of them flip."""
    p = draw(lists(probability))
    return np.array(p), draw(st.integers(0, len(p)))


def after_flips(p, L, r):
    """The attacked p, by the law of total probability."""
    return [q * (1 - r) + (1 - q) * r if m < L else q for m, q in enumerate(p)]


def llr(p):
    p = np.asarray(p)
    return np.log(1 - p) - np.log(p)


# Noises of variance 1, symmetric and unimodal: P[noise < -S].
NOISES = {
    "normal": lambda S: stats.norm.cdf(-S),
    "uniform": lambda S: max(0.0, 0.5 - S / (2 * sqrt(3))),
    "laplace": lambda S: 0.5 * exp(-sqrt(2) * S),
    # Attains Gauss' inequality: 0 with probability 1 - 4/(3 S^2), else uniform within 3/2 S.
    "spiked": lambda S: 4 / (3 * S * S) / 6 if 2 / sqrt(3) < S else 0.5 - S / (2 * sqrt(3)),
}
noises = st.sampled_from(sorted(NOISES))


def mean_gradient_norm(wrong, start, L, lr, T):
    """E of the mean ||g||_1 over T steps on f = sum L x^2 / 2, each sign wrong with prob. `wrong`.

    Exact: a coordinate walks on start + k lr, and its distribution over k is followed.
    """
    total = 0.0
    for x0, curvature in zip(start, L, strict=True):
        x = x0 + lr * np.arange(-T, T + 1)
        mass = np.zeros(2 * T + 1)
        mass[T] = 1
        up = np.where(x > 0, wrong, 1 - wrong)
        for _ in range(T):
            total += curvature * (mass @ np.abs(x)) / T
            mass = np.append(0, (mass * up)[:-1]) + np.append((mass * (1 - up))[1:], 0)
    return total
