"""One matrix on which every rule that takes float rows answers differently, worked out by hand.

    row  |g|^2   coordinates         signs
    0       39     5  -3   2   1    + - + +
    1       51    -1  -3   5   4    - - + +
    2       46     2  -5   4   1    + - + +
    3      235     9   9  -3   8    + + - +
    4       18     2  -3   1   2    + - + +
    5       87     5  -3   7   2    + - + +
    6        4     1  -1   1   1    + - + +
    7      556    13 -13  13   7    + - + +
    sum           36 -22  30  26

Squared distances, ascending, and to which row:
    0:    11 (4)    17 (2)    21 (6)    26 (5)    54 (1)   234 (3)   321 (7)
    1:    23 (2)    29 (4)    33 (6)    44 (5)    54 (0)   324 (3)   369 (7)
    2:    14 (4)    17 (0)    23 (1)    23 (5)    26 (6)   302 (7)   343 (3)
    3:   229 (6)   234 (0)   245 (4)   296 (5)   324 (1)   343 (2)   757 (7)
    4:     6 (6)    11 (0)    14 (2)    29 (1)    45 (5)   245 (3)   390 (7)
    5:    23 (2)    26 (0)    44 (1)    45 (4)    57 (6)   225 (7)   296 (3)
    6:     6 (4)    21 (0)    26 (2)    33 (1)    57 (5)   229 (3)   468 (7)
    7:   225 (5)   302 (2)   321 (0)   369 (1)   390 (4)   468 (6)   757 (3)
Columns, sorted:
    -1 1 2 2 5 5 9 13,  -13 -5 -3 -3 -3 -3 -1 9,  -3 1 1 2 4 5 7 13,  1 1 1 2 2 4 7 8

f = 2, but for Bulyan, which needs n >= 4f+3.
"""

from math import sqrt

import numpy as np

X = np.array(
    [
        (5, -3, 2, 1), (-1, -3, 5, 4), (2, -5, 4, 1), (9, 9, -3, 8),
        (2, -3, 1, 2), (5, -3, 7, 2), (1, -1, 1, 1), (13, -13, 13, 7),
    ],
    np.float64,
)  # fmt: skip
M = (sqrt(46) + sqrt(51)) / 2  # the median norm, 6.96
EVERYTHING = {"fraction": 1.0}  # SignGuard's features from all four coordinates

SQUARES = (39, 51, 46, 235, 18, 87, 4, 556)
NORMS = [sqrt(square) for square in SQUARES]
DOTS = (34.5, 28.5, 36.0, 11.5, 23.0, 51.5, 11.5, 137.5)
TRUST = [d / sqrt(s * 34.25) for d, s in zip(DOTS, SQUARES, strict=True)]
DISTANCES = [sqrt(square) for square in (6, 24, 7, 252, 5, 20, 13, 325)]  # to (3, -3, 3, 2)
SCORES = [75, 129, 77, 1004, 60, 138, 86, 1217]

# (rule, options, answer, what it finds out on the way, by row)
GOLDEN_MATRIX = [
    ("mean", {}, (36 / 8, -22 / 8, 30 / 8, 26 / 8), {}),
    # The middle two: (2 + 5) / 2, (-3 - 3) / 2, (2 + 4) / 2, (2 + 2) / 2
    ("median", {}, (3.5, -3.0, 3.0, 2.0), {}),
    ("median", {"even": "lower"}, (2.0, -3.0, 2.0, 2.0), {}),
    # The middle four: (2 + 2 + 5 + 5) / 4, -3, (1 + 2 + 4 + 5) / 4, (1 + 2 + 2 + 4) / 4
    ("trimmed-mean", {"n_byzantine": 2}, (3.5, -3.0, 3.0, 2.25), {}),
    # v = (3, -3, 3, 2) lies between the rows of four pairs: v + (2, 0, -1, -1) and v - twice that,
    # v - (1, 2, -1, 1) and v + 6 times, v - (1, 0, 2, 0) and v + twice, v - (2, -2, 2, 1) and
    # v + 5 times. So the unit vectors from v to the rows cancel, which is the optimum's condition.
    # A row's weight is inverse to its distance.
    (
        "geometric-median",
        {},
        (3.0, -3.0, 3.0, 2.0),
        {"weights": [1 / d / sum(1 / e for e in DISTANCES) for d in DISTANCES]},
    ),
    # The sums of the 8 - 2 - 2 = 4 smallest squared distances are SCORES: the least is row 4's,
    ("krum", {"n_byzantine": 2}, (2.0, -3.0, 1.0, 2.0), {"scores": SCORES, "accepted": [4]}),
    # the four least are those of rows 4, 0, 2, 6.
    (
        "multi-krum",
        {"n_byzantine": 2},
        (10 / 4, -12 / 4, 8 / 4, 5 / 4),
        {"scores": SCORES, "accepted": [0, 2, 4, 6]},
    ),
    # All but the farthest, of each row: least are the sums of rows 4, 0, 6.
    (
        "multi-krum",
        {"n_byzantine": 2, "neighbours": 6, "selected": 3},
        (8 / 3, -7 / 3, 4 / 3, 4 / 3),
        {"scores": [363, 507, 405, 1671, 350, 420, 372, 2075], "accepted": [0, 4, 6]},
    ),
    # f = 1, theta = 6. Of m rows left Krum sums m - 3 neighbours, at least one, and takes in turn
    #     row 2: 17 + 14 + 23 + 23 + 26 = 103, ahead of row 4 with 105;
    #     row 4: 6 + 11 + 29 + 45 = 91;  row 0: 21 + 26 + 54 = 101;  row 1: 33 + 44 = 77;
    #     row 5: 57, of 3, 5, 6, 7, ahead of row 6, as near to it, by its id;
    #     row 3: 229, of 3, 6, 7, ahead of row 6 likewise. Left are 6 and 7.
    # Of the sorted columns -1 2 2 5 5 9, -5 -3 -3 -3 -3 9, -3 1 2 4 5 7, 1 1 2 2 4 8 those nearest
    # to 3.5, -3, 3, 2 are 2 2 5 5, -3 -3 -3 -3, 1 2 4 5, 1 1 2 2.
    ("bulyan", {"n_byzantine": 1}, (3.5, -3.0, 3.0, 1.5), {"accepted": [0, 1, 2, 3, 4, 5]}),
    # Of distances the 5 smallest sum to 24.47, 29.91, 22.56, far more, 21.60, 30.79, 25.43 and far
    # more: ranked 4 2 0 6 1. Means of 42061, 2061, 061 and 61:
    #     9/5 -3 13/5 9/5,  7/4 -3 3 7/4,  5/3 -7/3 8/3 2,  0 -2 3 5/2
    # Nearest to the lower medians 5/3, -3, 8/3, 9/5 are 5/3 7/4, -3 -3, 13/5 8/3, 7/4 9/5.
    (
        "bulyan",
        {"n_byzantine": 1, "of": "multi-krum"},
        (41 / 24, -3.0, 79 / 30, 71 / 40),
        {"accepted": [0, 1, 2, 4, 6]},
    ),
    # b = 4 coordinates: all. v = (-0.239, 0.755, -0.611, -0.023), the scatter along it 406.6, of
    # which 240.3 are row 7's, 139.3 row 3's and 15.1 the next one's, row 6's. Without 7 and 3:
    (
        "dnc",
        {"n_byzantine": 2},
        (14 / 6, -18 / 6, 20 / 6, 11 / 6),
        {"accepted": [0, 1, 2, 4, 5, 6]},
    ),
    # Seed 0 draws coordinate 0, then 2. Farthest from their means 4.5 and 3.75 are rows 7 and 1,
    # then 7 and 3; what is left both times is averaged.
    (
        "dnc",
        {"n_byzantine": 2, "coordinates": 1, "iterations": 2},
        (15 / 5, -15 / 5, 15 / 5, 7 / 5),
        {"accepted": [0, 2, 4, 5, 6]},
    ),
    # Once, from 0: of the norms only sqrt(235) and sqrt(556) are above 10.
    (
        "centered-clipping",
        {"radius": 10.0, "iterations": 1},
        (X[[0, 1, 2, 4, 5, 6]].sum(0) + X[3] * 10 / sqrt(235) + X[7] * 10 / sqrt(556)) / 8,
        {},
    ),
    # S1: row 7 is out, sqrt(556) = 23.6 > 3 M = 20.9. Shares of + and -: 1/2 1/2 for row 1, 3/4 1/4
    # for the others, 0.354 away. Only row 1 has no 4 rows (n/2, itself counted) in one place with
    # it, so the bandwidth is 0.354 / 8 = 0.044 and S2 = all but row 1. Above M: rows 3 and 5.
    (
        "signguard",
        EVERYTHING,
        (X[[0, 2, 4, 6]].sum(0) + X[3] * M / sqrt(235) + X[5] * M / sqrt(87)) / 6,
        {"norms": NORMS, "accepted": [0, 2, 3, 4, 5, 6]},
    ),
    # Medians of the cosines with the others: 0.858 0.706 0.869 0.062 0.868 0.858 0.885 0.930.
    # The mean distance to the 4th feature is 0.164. Rows 0 2 4 5 6 7 are within 0.072, the nearest
    # of the others, row 1, is more than two bandwidths away, 0.385: S2 is without 1 and 3.
    (
        "signguard-sim",
        EVERYTHING,
        (X[[0, 2, 4, 6]].sum(0) + X[5] * M / sqrt(87)) / 5,
        {"norms": NORMS, "accepted": [0, 2, 4, 5, 6]},
    ),
    # Medians of the distances: the roots of 26, 44, 23, 296, 29, 45, 33, 369 are 5.10 6.63 4.80
    # 17.20 5.39 6.71 5.74 19.21. Bandwidth 3.61; rows 0 1 2 4 5 6 are within 1.92 of each other,
    # the next one 10.5 away: S2 is without 3 and 7. Above M: rows 1 and 5.
    (
        "signguard-dist",
        EVERYTHING,
        (X[[0, 2, 4, 6]].sum(0) + X[1] * M / sqrt(51) + X[5] * M / sqrt(87)) / 6,
        {"norms": NORMS, "accepted": [0, 1, 2, 4, 5, 6]},
    ),
    # The server's gradient is the median, (3.5, -3, 3, 2), of squared length 34.25. Its products
    # with the rows are DOTS, all above 0. TS = dot / (|g| |g0|), and TS |g0| / |g| = dot / |g|^2.
    (
        "fltrust",
        {},
        sum(d / s * x for d, s, x in zip(DOTS, SQUARES, X, strict=True)) / sum(TRUST),
        {"trust": TRUST, "accepted": [0, 1, 2, 3, 4, 5, 6, 7]},
    ),
    # Rows above M are shortened to M, and of each the value of smallest magnitude is dropped: the
    # 4th of rows 0 2 5 7, the 3rd of 3 4, the 1st of 1, none of row 6, whose are all equal. Norms:
    # 6.16 6.89 6.71 6.83 4.12 6.80 2.00 6.65, median 6.68, deviation 1.66: rows 4 and 6 are out.
    # Shares of +: 2/3, but 1 of row 3 and 3/4 of row 6, deviation 0.11: row 3 is out.
    (
        "lasa",
        {},
        (
            X[0] * (1, 1, 1, 0)
            + X[2] * (1, 1, 1, 0)
            + X[1] * (0, 1, 1, 1) * M / sqrt(51)
            + X[5] * (1, 1, 1, 0) * M / sqrt(87)
            + X[7] * (1, 1, 1, 0) * M / sqrt(556)
        )
        / 5,
        {"layers": [1, 1, 1, 0, 0, 1, 0, 1], "accepted": [0, 1, 2, 5, 7]},
    ),
    # Each row becomes the mean of all but its two farthest rows: 3 and 7 for most, 2 and 7 for
    # row 3, 3 and 6 for row 7. So of 8 sums 7 lack row 3, 7 lack row 7, one each lack 2 and 6.
    (
        "nnm mean",
        {"n_byzantine": 2},
        (8 * X.sum(0) - 7 * X[3] - 7 * X[7] - X[2] - X[6]) / 48,
        {},
    ),
    # Seed 0 orders the rows 7 0 4 | 1 2 6 | 3 5.
    (
        "bucketing mean",
        {"size": 3},
        (X[[7, 0, 4]].sum(0) / 3 + X[[1, 2, 6]].sum(0) / 3 + X[[3, 5]].sum(0) / 2) / 3,
        {},
    ),
    # 7 0 | 4 1 | 2 6 | 3 5: (9, -8, 7.5, 4), (0.5, -3, 3, 3), (1.5, -3, 2.5, 1), (7, 3, 2, 5)
    ("bucketing median", {"size": 2}, (4.25, -3.0, 2.75, 3.5), {}),
    # The same buckets: squared distances 118.5 115.25 156.25, 5.25 83.25, 82.5; f = 0, so the sums
    # of the two smallest are 233.75 88.5 87.75 165.75. Least is the bucket of rows 2 and 6.
    (
        "bucketing krum",
        {"size": 2},
        (1.5, -3.0, 2.5, 1.0),
        {
            "scores": [233.75, 88.5, 87.75, 165.75],
            "buckets": [[7, 0], [4, 1], [2, 6], [3, 5]],
            "accepted": [2, 6],
        },
    ),
    # To the length 5: all but rows 4 and 6.
    (
        "clipping mean",
        {"threshold": 5.0},
        ((X * np.minimum(1, 5 / np.array(NORMS))[:, None]).mean(0)),
        {},
    ),
    # k = floor(2 2 6 / 8) = 3 rows, 7, 3 and 5, to the length of the next one, row 1.
    (
        "arc mean",
        {"n_byzantine": 2},
        (
            X[[0, 1, 2, 4, 6]].sum(0)
            + sqrt(51) * (X[7] / sqrt(556) + X[3] / sqrt(235) + X[5] / sqrt(87))
        )
        / 8,
        {},
    ),
    # 7 of 8 for +, 7 for -, 7 for +, 8 for +.
    ("sign-mv", {}, (1.0, -1.0, 1.0, 1.0), {}),
]

# On X the rules that look for n - f rows agree on which. On this line they do not: n = 9, f = 4.
# Sorted: -10 -9 -8 1 2 7 10 14 15, of which five neighbours are kept.
LINE = np.array([7, -9, 15, 1, -10, 10, 2, 14, -8], np.float64)[:, None]
FOUR = {"n_byzantine": 4}
GOLDEN_LINE = [
    # Widths: 12 16 18 13 13. Least: -10 to 2.
    ("mda", FOUR, (-24 / 5,), {"accepted": [1, 3, 4, 6, 8]}),
    # The smallest radius is that of the row at 7, which is 7: rows 1 to 14. At 10 it is 8.
    ("monna", FOUR, (34 / 5,), {"reference": 0, "accepted": [0, 3, 5, 6, 7]}),
    # Sums of squares around the mean: 134.8, 205.2, 229.2, 118.8, 113.2. Least: 2 to 15.
    ("smea", FOUR, (48 / 5,), {"accepted": [0, 2, 5, 6, 7]}),
    # The median is 2; nearest are 2 1 7 10 -8.
    ("meamed", FOUR, (12 / 5,), {}),
    # Shortest are 1 2 7 -8 -9.
    (
        "cge",
        FOUR,
        (-7 / 5,),
        {"norms": [7, 9, 15, 1, 10, 10, 2, 14, 8], "accepted": [0, 1, 3, 6, 8]},
    ),
    # Around the mean 22/9, variance 85.1, all weights fall, that of 15 to 0: 4.14 are left, then
    # 3.38 3.03 2.78 2.51 1.99 1.40, with the variances 32.1 17.3 11.8 10.1 8.7 5.3 0.24. That is
    # 0.558 at 1 and 0.839 at 2. In the next step 0.47 are left, not more than n - 2f = 1.
    ("caf", FOUR, (1.60065,), {"weights": [0, 0, 0, 0.39935, 0, 0, 0.60065, 0, 0]}),
]
ONE_VOTE = ("election", "sign-fd", "reputation-mv")  # by definition sign-mv in the first round
# On signs this clear like sign-mv, or like mean: golden values in files of their own.
ELSEWHERE = ("sign-fv", "fedseca", "robust-lr", "probit-plus")
