"""FLTrust, signSGD-FV with the server's samples, FedSECA's election, PRoBit+ and LASA from their
definitions, with plain loops over lists of floats: slow, float64."""

from fractions import Fraction
from itertools import combinations, pairwise
from math import floor, log, sqrt
from statistics import median, pstdev


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def norm(a):
    return sqrt(dot(a, a))


def mean_of(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def sign(x):
    return 1 if x >= 0 else -1


def fltrust(rows, server):
    """Cao et al. 2021, eq. 2-4: TS = ReLU(cos), rows of the server's length, their mean by TS."""
    total, sum_of_scores = [0.0] * len(server), 0.0
    for row in rows:
        score = max(0.0, dot(row, server) / (norm(row) * norm(server)))
        scaled = [norm(server) / norm(row) * x for x in row]
        total = [t + score * x for t, x in zip(total, scaled, strict=True)]
        sum_of_scores += score
    return [t / sum_of_scores for t in total] if sum_of_scores else total


def sign_fv(rows, server, eps=1e-5):
    """The scores w_0 S + sum_m w_m Y_m with w = ln(a / (1 - a)), a the share of the server's signs,
    and the server's own from all pairs."""
    signs = [[sign(x) for x in row] for row in (*rows, server)]
    z = [dot(one, signs[-1]) / len(server) for one in signs[:-1]]
    pairs = list(combinations(range(len(rows)), 2))
    explained = sum(abs(z[i] * z[j]) for i, j in pairs)
    total = sum(abs(dot(signs[i], signs[j])) / len(server) for i, j in pairs)
    z.append(min(1.0, sqrt(explained / total)) if total else 0.0)
    scores = [0.0] * len(server)
    for one, agreed in zip(signs, z, strict=True):
        share = min(max((1 + agreed) / 2, eps), 1 - eps)
        weight = log(share / (1 - share))
        scores = [t + weight * y for t, y in zip(scores, one, strict=True)]
    return scores


def concordance_ratios(rows):
    """Benjamin et al. 2025, eq. 2 and 3."""
    signs = [[sign(x) for x in row] for row in rows]
    found = []
    for one in signs:
        of_pairs = [sum(a * b for a, b in zip(one, other, strict=True)) for other in signs]
        found.append(Fraction(max(0, sum((p > 0) - (p < 0) for p in of_pairs)), len(rows)))
    return found


def fedseca(rows):
    """Eq. 4, sgn(0) = +1; a plain vote where all ratios are 0."""
    ratios = concordance_ratios(rows)
    ratios = ratios if any(ratios) else [1] * len(rows)
    columns = zip(*rows, strict=True)
    return [sign(sum(w * sign(x) for w, x in zip(ratios, c, strict=True))) for c in columns]


def robust_lr(rows, theta):
    """Ozdayi et al. 2021: eta where |sum of signs| >= theta, -eta elsewhere; a tie is +1."""
    sums = [sum(sign(x) for x in column) for column in zip(*rows, strict=True)]
    return [1 if s == 0 else sign(s) * (1 if abs(s) >= theta else -1) for s in sums]


def likelihood(theta, bits, b):
    """Of bits that are + with probability (b + theta) / (2 b)."""
    product = 1.0
    for bit in bits:
        product *= (b + theta if bit > 0 else b - theta) / (2 * b)
    return product


def lasa(rows, edges, sparsity=0.3, norm_radius=1.0, sign_radius=1.0):
    """Clip to the median norm, make sparse, and average in each layer what is usual in it."""
    middle, n = median(norm(row) for row in rows), len(rows[0])
    kept = n - min(n - 1, floor(Fraction(str(sparsity)) * n))
    sparse = []
    for row in rows:
        short = [x * min(1.0, middle / norm(row)) for x in row]
        least = sorted(map(abs, short), reverse=True)[kept - 1]
        sparse.append([x if abs(x) >= least else 0.0 for x in short])
    answer = []
    for start, stop in pairwise(edges):
        layer = [row[start:stop] for row in sparse]
        chosen = [
            row
            for row, far, odd in zip(
                layer, scores(map(norm, layer), 2**-18), scores(map(purity, layer)), strict=True
            )
            if far < norm_radius and odd < sign_radius
        ]
        answer += mean_of(chosen or layer)
    return answer


def purity(row):
    signs = [(x > 0) - (x < 0) for x in row]
    count = sum(map(abs, signs))
    return 0.5 * (1 + sum(signs) / count) if count else 0.5


def scores(values, equal=0.0):
    """Distances from the median, of which a share `equal` of the largest value counts as none."""
    values = list(values)
    middle, spread, least = median(values), pstdev(values), equal * max(values)
    distances = [abs(x - middle) for x in values]
    return [round(far / spread, 9) if far > least else 0.0 for far in distances]
