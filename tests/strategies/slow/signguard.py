"""SignGuard (Xu et al. 2022, Algorithm 2) and its variants with plain loops: slow, float64.

The mean shift is scikit-learn's, as in the authors' code. Where the paper is silent, as in
ALGORITHMS.md section 4, edge cases (a) to (h). How its table of the authors' similarity is read:
its medians are of all n values, the middle two averaged; "first epochs" are the rounds that know
no previous aggregate; a cosine with a zero vector is 0.
"""

import warnings
from math import floor, inf, sqrt

import numpy as np
from sklearn.cluster import MeanShift, estimate_bandwidth

from signfed.strategies.core.seeds import generator

L, R = 0.1, 3.0  # lower and upper bound of ||g|| / M


def median(values):
    ordered = sorted(values)
    n = len(ordered)
    return ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def norm(a):
    return sqrt(sum(x * x for x in a))


def cosine(a, b):
    if norm(a) == 0 or norm(b) == 0:
        return 0.0
    return sum(x * y for x, y in zip(a, b, strict=True)) / (norm(a) * norm(b))


def distance(a, b):
    return sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


class SlowSignGuard:
    """aggregate(rows, t): {worker id: list of floats} -> (g, S'), ids in S' ascending."""

    def __init__(
        self,
        feature=None,
        seed=0,
        components="filter,cluster,clip",
        coordinates="random",
        fraction=0.1,
        scaling="raw",
        similarity="paper",
    ):
        self.feature = feature  # None, cosine or distance
        self.seed = seed
        self.components = components.split(",")
        self.coordinates = coordinates
        self.fraction = fraction
        self.scaling = scaling
        self.similarity = similarity
        self.last = None
        self.points = []  # the last round's features

    def aggregate(self, rows, t):
        ids = sorted(rows)
        n_coordinates = len(rows[ids[0]])
        r = {i: norm(rows[i]) for i in ids}
        m = median(r.values())
        if m == 0:  # (e)
            self.last = [0.0] * n_coordinates
            return self.last, None
        s1 = ids
        if "filter" in self.components:
            s1 = [i for i in ids if L <= r[i] / m <= R]
        s2 = ids
        if "cluster" in self.components and len(ids) >= 4:  # (f)
            features = self.features(ids, rows, t)
            s2 = largest_cluster(ids, features)
            self.points = list(features.values())
        s = [i for i in s1 if i in s2] or s2 or s1  # (d)
        g = [0.0] * n_coordinates
        for i in s:
            factor = 1.0
            if "clip" in self.components and r[i] > 0:
                factor = min(1.0, m / r[i])
            for j in range(n_coordinates):
                g[j] += rows[i][j] * factor / len(s)
        self.last = g
        return g, s

    def on_a_knife_edge(self):
        """Whether rounding decided: points in a line are easily just one bandwidth apart."""
        exact, *nudged = (labels_of(self.points, stretch) for stretch in (1, 1 - 1e-6, 1 + 1e-6))
        return nudged != [exact, exact]

    def picked(self, n_coordinates, t):
        k = max(1, floor(self.fraction * n_coordinates))
        random = generator(self.seed, "signguard", t)
        if self.coordinates == "window":
            offset = int(random.integers(max(1, n_coordinates - k)))
            return range(offset, offset + k)
        return random.choice(n_coordinates, k, replace=False, shuffle=False).tolist()

    def features(self, ids, rows, t):
        """{id: [share of +, of 0, of -, and with a variant its similarity]}."""
        picked = self.picked(len(rows[ids[0]]), t)
        features = {}
        for i in ids:
            values = [rows[i][j] for j in picked]
            positive = sum(v > 0 for v in values)
            zero = sum(v == 0 for v in values)
            negative = sum(v < 0 for v in values)
            features[i] = [count / len(picked) for count in (positive, zero, negative)]
        if self.scaling == "max":
            for column in range(3):
                largest = max(f[column] for f in features.values())
                for f in features.values():
                    f[column] = f[column] / (largest + 1e-8)
        if self.feature:
            values = self.similarities(ids, rows)
            for i in ids:
                features[i].append(values[i])
        return features

    def similarities(self, ids, rows):
        if self.similarity == "authors":
            form = authors_cosine if self.feature is cosine else authors_distance
            return form(ids, rows, self.last)
        if self.last is not None:
            return {i: self.feature(rows[i], self.last) for i in ids}
        return {i: median(self.feature(rows[i], rows[j]) for j in ids if j != i) for i in ids}


def authors_cosine(ids, rows, last):
    """clamp(cos, 0, med) / (5 med + 1e-8); torch.clamp with min > max answers max."""
    if last is None:
        cos = {i: median(0.0 if j == i else cosine(rows[i], rows[j]) for j in ids) for i in ids}
    else:
        cos = {i: cosine(rows[i], last) for i in ids}
    med = median(cos.values())
    return {i: min(max(c, 0.0), med) / (5 * med + 1e-8) for i, c in cos.items()}


def authors_distance(ids, rows, last):
    """[score >= 1.1 med] / 5; score: the distance, at first the sum of the n // 2 smallest."""
    if last is None:
        score = {}
        for i in ids:
            nearest = sorted(distance(rows[i], rows[j]) for j in ids)  # itself is the first
            score[i] = sum(nearest[: len(ids) // 2])
    else:
        score = {i: distance(rows[i], last) for i in ids}
    med = median(score.values())
    return {i: 0.2 if s >= 1.1 * med else 0.0 for i, s in score.items()}


def bandwidth_is_zero(points):
    """Whether every point has the n/2-th nearest, itself the first, in its own place.

    scikit-learn's estimate is then 0 or, after rounding, a few 1e-9: no test of its value will do.
    """
    rank = max(1, len(points) // 2)
    return all(sorted(distance(p, q) for q in points)[rank - 1] <= 1e-12 for p in points)


def labels_of(points, stretch=1.0):
    """A cluster's number for each point, -1 for an orphan: mean shift, or (a) equality."""
    if bandwidth_is_zero(points):
        rounded = [tuple(round(x, 12) for x in point) for point in points]
        return [rounded.index(point) for point in rounded]
    bandwidth = estimate_bandwidth(np.array(points), quantile=0.5, n_samples=len(points))  # (g)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as many bins as points: it takes the points instead
        shift = MeanShift(bandwidth=stretch * bandwidth, bin_seeding=True, cluster_all=False)
        return shift.fit(np.array(points)).labels_.tolist()


def largest_cluster(ids, features):
    labels = dict(zip(ids, labels_of([features[i] for i in ids]), strict=True))
    members = {}
    for i in ids:
        if labels[i] != -1:
            members.setdefault(labels[i], []).append(i)
    if not members:  # (b)
        return ids
    size = max(len(cluster) for cluster in members.values())
    largest = [cluster for cluster in members.values() if len(cluster) == size]
    middle = [median(features[i][c] for i in ids) for c in range(len(features[ids[0]]))]
    offset = {i: distance(features[i], middle) for i in ids}
    # Along a line, two halves are always equally near: 1e-9 of the widest offset is rounding.
    nearest = min(offset[i] for cluster in largest for i in cluster) + 1e-9 * max(offset.values())
    return min(
        largest, key=lambda cluster: min([i for i in cluster if offset[i] <= nearest] or [inf])
    )
