"""Float rounds for the tests of SignGuard: rows, helpers to play them, and the slow counterpart."""

import numpy as np
import torch

from signfed.strategies.core.updates import Updates
from signfed.strategies.signguard import SignGuard
from signfed.strategies.signguard_dist import SignGuardDist
from signfed.strategies.signguard_sim import SignGuardSim
from tests.strategies.slow.signguard import SlowSignGuard, cosine, distance

RULES = {SignGuard: None, SignGuardSim: cosine, SignGuardDist: distance}


def slow_of(rule_class, **options):
    return SlowSignGuard(RULES[rule_class], **options)


def call(rule, rows, t=1, ids=None):
    """(direction as NumPy, accepted ids) of one call on float rows [n, N]."""
    matrix = torch.from_numpy(np.asarray(rows, np.float32))
    ids = None if ids is None else torch.tensor(ids)
    direction = rule.aggregate(Updates.from_matrix(matrix, ids, server_round=t)).numpy()
    return direction, rule.diagnostics()["accepted"]


def called_slowly(slow, rows, t=1, ids=None):
    matrix = np.asarray(rows, np.float32).tolist()
    g, accepted = slow.aggregate(dict(zip(ids or range(len(matrix)), matrix, strict=True)), t)
    return np.array(g), accepted


def federation(seed, n, n_coordinates, n_byzantine=0, bias=0.8, noise=1.0):
    """Noisy views of a gradient with more positive than negative values; the first are flipped.

    bias 0: as many positive as negative ones.
    """
    random = np.random.default_rng(seed)
    truth = random.standard_normal(n_coordinates) + bias
    rows = truth + noise * random.standard_normal((n, n_coordinates))
    rows[:n_byzantine] *= -1.0
    return rows.astype(np.float32)


def mixed_rounds(seed, n, n_coordinates, n_rounds):
    """[(ids, rows)]: some rows flipped, scaled or full of zeros, one all zero, workers missing."""
    random = np.random.default_rng(seed)
    rounds = []
    for _ in range(n_rounds):
        bias, noise = random.choice([0.0, 0.3, 1.0]), random.choice([0.2, 1.0, 3.0])
        rows = federation(random.integers(2**32), n, n_coordinates, 0, bias, noise)
        rows[random.random((n, n_coordinates)) < random.choice([0.0, 0.02, 0.4])] = 0.0
        for row in rows:
            harm = random.choice(["none", "flip", "scale", "zeros"], p=[0.6, 0.2, 0.1, 0.1])
            if harm == "flip":
                row *= -1.0
            elif harm == "scale":
                row *= random.choice([0.01, 0.5, 2.0, 50.0])
            elif harm == "zeros":
                row[random.random(n_coordinates) < random.choice([0.5, 1.0])] = 0.0
        ids = random.permutation(2 * n)[: random.integers(max(1, n - 3), n + 1)]
        rounds.append((ids.tolist(), rows[: len(ids)]))
    return rounds
