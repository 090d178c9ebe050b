"""The attacks from their definitions, with plain loops over lists of floats: slow, float64."""

from itertools import pairwise
from math import cos, erf, floor, log, sin, sqrt
from math import pi as pi_


def columns(rows):
    return list(zip(*rows, strict=True))


def mean(rows):
    return [sum(column) / len(column) for column in columns(rows)]


def deviation(rows):
    """Of a sample: n - 1 in the denominator."""
    result = []
    for column in columns(rows):
        mu = sum(column) / len(column)
        result.append(sqrt(sum((x - mu) ** 2 for x in column) / (len(column) - 1)))
    return result


def sign(x):
    return 1.0 if x >= 0 else -1.0


def distance2(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def lie(honest, z):
    return [mu - z * s for mu, s in zip(mean(honest), deviation(honest), strict=True)]


def byzmean(honest, n_attackers, z):
    """Eq. 8, an attacker at a time."""
    g1 = lie(honest, z)
    n, m1 = len(honest) + n_attackers, floor(0.5 * n_attackers)
    m2 = n_attackers - m1
    g2 = [((n - m1) * g - sum(x)) / m2 for g, x in zip(g1, columns(honest), strict=True)]
    return [g1 if i < m1 else g2 for i in range(n_attackers)]


def perturbation(honest, name):
    mu = mean(honest)
    if name == "std":
        return [-s for s in deviation(honest)]
    if name == "unit":
        length = sqrt(sum(x * x for x in mu))
        return [-x / length for x in mu]
    return [-1.0 if x > 0 else 1.0 if x < 0 else 0.0 for x in mu]


def stretched(honest, name, gamma):
    return [m + gamma * p for m, p in zip(mean(honest), perturbation(honest, name), strict=True)]


def min_max_holds(honest, sent, slack=0.0):
    """Eq. 14, squared."""
    most = max(distance2(a, b) for a in honest for b in honest)
    return all(distance2(sent, g) <= most * (1 + slack) for g in honest)


def min_sum_holds(honest, sent, slack=0.0, bound="max"):
    """Eq. 15, or with the minimum."""
    sums = [sum(distance2(a, b) for b in honest) for a in honest]
    limit = max(sums) if bound == "max" else min(sums)
    return sum(distance2(sent, g) for g in honest) <= limit * (1 + slack)


def bisect(honest, name, holds):
    """The largest gamma by bisection, its upper end doubled from 10 until it is too large."""
    low, high = 0.0, 10.0
    while holds(honest, stretched(honest, name, high)):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if holds(honest, stretched(honest, name, middle)):
            low = middle
        else:
            high = middle
    return stretched(honest, name, low)


def ipm(honest, epsilon):
    return [-epsilon * mu for mu in mean(honest)]


def mimic(honest):
    """The row farthest along the top principal direction, found by power iteration over N."""
    mu = mean(honest)
    centred = [[x - m for x, m in zip(row, mu, strict=True)] for row in honest]

    def projections(z):
        return [sum(x * y for x, y in zip(row, z, strict=True)) for row in centred]

    z = centred[0]
    for _ in range(500):
        weights = projections(z)
        z = [sum(w * x for w, x in zip(weights, c, strict=True)) for c in columns(centred)]
        length = sqrt(sum(x * x for x in z))
        z = [x / length for x in z]
    reach = [abs(x) for x in projections(z)]
    return honest[reach.index(max(reach))]


def colluding_majority(own):
    return [-1.0 if sum(sign(x) for x in column) >= 0 else 1.0 for column in columns(own)]


def trusted_bloc(own, server_round, rounds, flips, period):
    """Section 18's rows for t = server_round; flips: for each attacker, which coordinates."""
    base = mean(own)
    if server_round > rounds:
        turns = 0 if period == 0 else (server_round - rounds - 1) // period
        if turns % 2 == 0:
            base = [-x for x in base]
    return [[-x if f else x for x, f in zip(base, row, strict=True)] for row in flips]


def phi(z):
    return (1 + erf(z / sqrt(2))) / 2


def vem(own, n_total, reach):
    """The honest margin of each coordinate, and whether the votes that are counted on turn it."""
    b, mu = len(own), mean(own)
    s = [sqrt(sum(x * x for x in mu) / len(mu))] * len(mu) if b == 1 else deviation(own)
    sent = []
    for m, d in zip(mu, s, strict=True):
        margin = (n_total - b) * (2 * phi(abs(m) / d) - 1 if d else 1)
        sent.append(-m if margin < reach * b or reach * b >= n_total - b else m)
    return sent


def length(row):
    return sqrt(sum(x * x for x in row))


def poisoned_fl(direction, last, wanted, factor):
    share = length(direction) / length(last)
    v = [abs(d - share * x) for d, x in zip(direction, last, strict=True)]
    scale = factor * length(direction) / length(v)
    return [-scale * x * s for x, s in zip(v, wanted, strict=True)]


def rop(honest, v, size, degrees, pi, lam):
    """Step by step: the part of (1, ..., 1) that is at a right angle to u, then the turn."""
    mu = mean(honest)
    u = [lam * a + (1 - lam) * m for a, m in zip(v, mu, strict=True)]
    along = sum(u) / sum(x * x for x in u)
    across = [1 - along * x for x in u]
    to, by = cos(pi_ * degrees / 180) / length(u), sin(pi_ * degrees / 180) / length(across)
    p = [by * o + to * x for o, x in zip(across, u, strict=True)]
    start = [pi * a + (1 - pi) * m for a, m in zip(v, mu, strict=True)]
    return [s + size * length(u) * x for s, x in zip(start, p, strict=True)]


def hybrid_sparse(honest, model, share, scale, z):
    mu = mean(honest)
    hard = weakest([-abs(x * m) for x, m in zip(model, mu, strict=True)], share)
    return [
        m - (scale if i in hard else z) * s
        for i, (m, s) in enumerate(zip(mu, deviation(honest), strict=True))
    ]


def weakest(margins, share):
    order = sorted(range(len(margins)), key=lambda i: (margins[i], i))
    return set(order[: floor(share * len(margins) + 1e-9)])


def vote_aware(honest, share):
    votes = [sum(column) for column in columns(honest)]
    attacked = weakest([abs(v) for v in votes], share)
    return [-sign(v) if i in attacked else sign(v) for i, v in enumerate(votes)]


def inversion_aware(honest, m, share):
    votes = [sum(column) for column in columns(honest)]
    close = sorted((abs(v), i) for i, v in enumerate(votes) if abs(v) <= m)
    attacked = {i for _, i in close[: floor(share * len(close) + 1e-9)]}
    return [sign(v) if i in attacked else -sign(v) for i, v in enumerate(votes)]


def weight(p):
    p = min(max(p, 0.01), 0.99)
    return log((1 - p) / p)


def weight_aware(honest, honest_p, attackers_p, share):
    votes = [
        sum(weight(p) * x for p, x in zip(honest_p, column, strict=True))
        for column in columns(honest)
    ]
    total = sum(abs(weight(p)) for p in attackers_p)
    allowed = weakest([abs(v) for v in votes], share)
    target = [-sign(v) if abs(v) < total and i in allowed else sign(v) for i, v in enumerate(votes)]
    return [[sign(weight(p)) * t for t in target] for p in attackers_p]


def filter_aware(honest, share):
    """The row of the median norm; of the chosen, the k-th smallest to the k-th largest mean."""
    mu = mean(honest)
    by_norm = sorted(honest, key=lambda row: sum(x * x for x in row))
    sent = list(by_norm[(len(honest) - 1) // 2])
    chosen = weakest([-abs(m) for m in mu], share)
    entries = sorted(sent[i] for i in chosen)
    places = sorted(chosen, key=lambda i: -mu[i])
    assert all(mu[a] >= mu[b] for a, b in pairwise(places))
    for place, entry in zip(places, entries, strict=True):
        sent[place] = entry
    return sent
