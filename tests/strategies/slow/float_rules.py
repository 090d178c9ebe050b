"""The float rules from their definitions, with plain loops over lists of floats: slow, float64."""

from math import exp, floor, sqrt

import numpy as np

from signfed.strategies.core.seeds import generator


def distance2(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def mean_of(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def weighted_mean(rows, weights):
    total = sum(weights)
    columns = zip(*rows, strict=True)
    return [sum(w * x for w, x in zip(weights, c, strict=True)) / total for c in columns]


def median(rows):
    result = []
    for column in zip(*rows, strict=True):
        s, n = sorted(column), len(column)
        result.append(s[n // 2] if n % 2 else (s[n // 2 - 1] + s[n // 2]) / 2)
    return result


def trimmed_mean(rows, f):
    kept = [sorted(column)[f : len(rows) - f] for column in zip(*rows, strict=True)]
    return [sum(values) / len(values) for values in kept]


def krum_order(rows, f, left=None, neighbours=0):
    """Indices from the lowest score up; the score sums the n-f-2 nearest others, at least one."""
    left = list(range(len(rows))) if left is None else left
    k = neighbours or max(1, len(left) - f - 2)
    scores = {i: sum(sorted(distance2(rows[i], rows[j]) for j in left if j != i)[:k]) for i in left}
    return sorted(left, key=lambda i: (scores[i], i))


def krum(rows, f):
    return rows[krum_order(rows, f)[0]]


def multi_krum(rows, f):
    return mean_of([rows[i] for i in krum_order(rows, f)[: len(rows) - f - 2]])


def bulyan_choice(rows, f):
    """Indices in the order in which Krum, on what is left, takes them."""
    left, chosen = list(range(len(rows))), []
    while len(chosen) < len(rows) - 2 * f:
        chosen.append(krum_order(rows, f, left)[0])
        left.remove(chosen[-1])
    return chosen


def bulyan(rows, f):
    chosen = [rows[i] for i in bulyan_choice(rows, f)]
    result = []
    for column, middle in zip(zip(*chosen, strict=True), median(chosen), strict=True):
        nearest = sorted(column, key=lambda x: (abs(x - middle), x))[: len(chosen) - 2 * f]
        result.append(sum(nearest) / len(nearest))
    return result


def geometric_median(rows, eps=1e-6, iterations=100_000, prior=None):
    """Weiszfeld from the weighted mean of all, until it stands still; prior: the weights a_i."""
    prior = [1.0] * len(rows) if prior is None else prior
    v = weighted_mean(rows, prior)
    for _ in range(iterations):
        shares = [a / max(eps, sqrt(distance2(v, x))) for a, x in zip(prior, rows, strict=True)]
        last, v = v, weighted_mean(rows, shares)
        if distance2(v, last) <= 1e-20 * max(distance2(v, row) for row in rows):
            break
    return v


def reweighted_geometric_median(rows):
    """The SignGuard authors': twice w_i <- w_i exp(-||x_i - v||), and the median again."""
    weights = [1.0] * len(rows)
    v = geometric_median(rows)
    for _ in range(2):
        weights = [w * exp(-sqrt(distance2(x, v))) for w, x in zip(weights, rows, strict=True)]
        v = geometric_median(rows, prior=weights)
    return v


def dnc(rows, f, seed=0, coordinates=10_000, iterations=1, filter_factor=1.0, t=1):
    n, n_coordinates = len(rows), len(rows[0])
    good = set(range(n))
    for iteration in range(iterations):
        b = min(coordinates, n_coordinates)
        drawn = generator(seed, "dnc", t, iteration)
        picked = drawn.choice(n_coordinates, b, replace=False, shuffle=False)
        sub = np.array(rows)[:, picked]
        centred = sub - sub.mean(axis=0)
        direction = np.linalg.svd(centred, full_matrices=False)[2][0]
        scores = (centred @ direction) ** 2
        kept = sorted(range(n), key=lambda i: (scores[i], i))[: n - floor(filter_factor * f)]
        good &= set(kept)
    return mean_of([rows[i] for i in sorted(good or kept)])


def centered_clipping(rows, radius, iterations, v=None):
    v = [0.0] * len(rows[0]) if v is None else v
    for _ in range(iterations):
        step = [0.0] * len(v)
        for row in rows:
            length = sqrt(distance2(row, v))
            factor = 1.0 if length <= radius else radius / length
            step = [s + factor * (x - y) / len(rows) for s, x, y in zip(step, row, v, strict=True)]
        v = [y + s for y, s in zip(v, step, strict=True)]
    return v


def nnm(rows, f):
    mixed = []
    for row in rows:
        order = sorted(range(len(rows)), key=lambda j: (distance2(row, rows[j]), j))
        mixed.append(mean_of([rows[j] for j in order[: len(rows) - f]]))
    return mixed


def bucketing(rows, size, seed=0, t=1):
    order = generator(seed, "bucketing", t).permutation(len(rows)).tolist()
    buckets = [order[i : i + size] for i in range(0, len(rows), size)]
    return [mean_of([rows[j] for j in bucket]) for bucket in buckets]
