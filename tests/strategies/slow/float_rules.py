"""The float rules from their definitions, with plain loops over lists of floats: slow, float64."""

from itertools import combinations
from math import exp, floor, inf, sqrt

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


def lower_median(rows):
    return [sorted(column)[(len(column) - 1) // 2] for column in zip(*rows, strict=True)]


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


def nearest_to(middles, rows, count):
    result = []
    for column, middle in zip(zip(*rows, strict=True), middles, strict=True):
        nearest = sorted(column, key=lambda x: (abs(x - middle), x))[:count]
        result.append(sum(nearest) / len(nearest))
    return result


def bulyan(rows, f):
    chosen = [rows[i] for i in bulyan_choice(rows, f)]
    return nearest_to(median(chosen), chosen, len(chosen) - 2 * f)


def bulyan_of_means(rows, f):
    """What SignGuard's code computes: it scores all rows once, by distances as they are."""
    n, scores = len(rows), []
    for i in range(n):
        away = sorted(sqrt(distance2(rows[i], rows[j])) for j in range(n) if j != i)
        scores.append(sum(away[: n - f - 2]))
    order = sorted(range(n), key=lambda i: (scores[i], i))
    means = [mean_of([rows[i] for i in order[first : n - f - 2]]) for first in range(n - 2 * f - 2)]
    return nearest_to(lower_median(means), means, len(means) - 2 * f)


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


def mda(rows, f):
    """Of the subsets with the least diameter that with the lowest Krum scores, from the highest."""
    n = len(rows)
    order = krum_order(rows, f, neighbours=max(1, n - f - 1))
    rank = {row: place for place, row in enumerate(order)}

    def worth(subset):
        pairs = combinations(subset, 2)
        diameter = max((distance2(rows[i], rows[j]) for i, j in pairs), default=0.0)
        left_out = sorted((rank[i] for i in range(n) if i not in subset), reverse=True)
        return diameter, [-place for place in left_out]

    return mean_of([rows[i] for i in min(combinations(range(n), n - f), key=worth)])


def meamed(rows, f):
    result = []
    for column, middle in zip(zip(*rows, strict=True), median(rows), strict=True):
        nearest = sorted(column, key=lambda x: (abs(x - middle), x))[: len(rows) - f]
        result.append(sum(nearest) / len(nearest))
    return result


def monna(rows, f, trusted=None):
    def nearest(i):
        return sorted(range(len(rows)), key=lambda j: (distance2(rows[i], rows[j]), j))[
            : -f or None
        ]

    def radius(i):
        return distance2(rows[i], rows[nearest(i)[-1]])

    centre = min(range(len(rows)), key=radius) if trusted is None else trusted
    return mean_of([rows[j] for j in nearest(centre)])


def covariance(rows, weights):
    mu = np.average(rows, axis=0, weights=weights)
    offsets = np.array(rows) - mu
    return mu, offsets, (offsets.T * weights) @ offsets / sum(weights)


def caf(rows, f, *, byzfl=False):
    """byzfl: tau is divided by the largest of all, also of rows whose weight is gone."""
    c, least, best = np.ones(len(rows)), inf, mean_of(rows)
    while c.sum() > len(rows) - 2 * f:
        mu, offsets, sigma = covariance(rows, c)
        values, vectors = np.linalg.eigh(sigma)
        if values[-1] < least:
            least, best = values[-1], mu
        tau = (offsets @ vectors[:, -1]) ** 2
        c = c * np.clip(1 - tau / tau[(c > 0) | byzfl].max(), 0, None)
    return best


def smea(rows, f):
    def worth(subset):
        return np.linalg.eigvalsh(covariance([rows[i] for i in subset], np.ones(len(subset)))[2])[
            -1
        ]

    subset = min(combinations(range(len(rows)), len(rows) - f), key=worth)
    return mean_of([rows[i] for i in subset])


def length(row):
    return sqrt(sum(x * x for x in row))


def cge(rows, f):
    return mean_of(sorted(rows, key=length)[: len(rows) - f])


def clipping(rows, threshold):
    factors = [min(1.0, threshold / length(row)) if length(row) else 1.0 for row in rows]
    return [[factor * x for x in row] for factor, row in zip(factors, rows, strict=True)]


def arc(rows, f):
    lengths = sorted(map(length, rows), reverse=True)
    return clipping(rows, lengths[floor(2 * f * (len(rows) - f) / len(rows))])
