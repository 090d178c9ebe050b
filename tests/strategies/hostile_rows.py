"""What a Byzantine minority may do to an answer, whatever float32 values they send.

S is the honest rows' spread, sqrt(sum_i ||x_i - m||^2) around their mean m: no coordinate of an
honest row is farther than S from m's, and no honest row.
"""

import numpy as np

from tests.strategies.runs import play

N, HUGE = 11, 3e38  # workers; near the largest float32, 3.4e38


def _signs(random, shape):
    return random.choice([-1.0, 1.0], shape)


# name -> (honest rows [h, d], number of Byzantine rows b, generator) -> rows [b, d]
FAR = {
    "all 1e30": lambda x, b, r: np.full((b, x.shape[1]), 1e30),
    "all -1e30": lambda x, b, r: np.full((b, x.shape[1]), -1e30),
    "all 3e38": lambda x, b, r: np.full((b, x.shape[1]), HUGE),
    "both ends": lambda x, b, r: HUGE * (-1.0) ** np.arange(b)[:, None] * np.ones(x.shape[1]),
    "both ends in turns": lambda x, b, r: HUGE * (-1.0) ** np.arange(x.shape[1]) * np.ones((b, 1)),
    "random ends": lambda x, b, r: HUGE * _signs(r, (b, x.shape[1])),
    "one coordinate": lambda x, b, r: x[:b] + HUGE * np.eye(x.shape[1])[3],
    "inverted, a thousand times": lambda x, b, r: np.tile(-1e3 * x.mean(0), (b, 1)),
}
NEAR = {
    "inverted": lambda x, b, r: np.tile(-x.mean(0), (b, 1)),
    "inverted, ten times": lambda x, b, r: np.tile(-10 * x.mean(0), (b, 1)),
    "zeros": lambda x, b, r: np.zeros((b, x.shape[1])),
    "one honest row": lambda x, b, r: np.tile(x[0], (b, 1)),
}
MIXED = {
    "each at its own scale": lambda x, b, r: (
        _signs(r, (b, x.shape[1])) * 10.0 ** np.linspace(2, 38, b)[:, None]
    ),
    "each value at its own scale": lambda x, b, r: (
        _signs(r, (b, x.shape[1])) * 10.0 ** r.uniform(-30, 38, (b, x.shape[1]))
    ),
}


def hostile_rounds(attack, n_byzantine, seed, n_rounds=2):
    """(rounds of N workers, for each the honest rows [h, d]).

    The same n_byzantine workers attack in all rounds. The honest rows lie around a common direction
    of random signs, the same in all rounds.
    """
    random = np.random.default_rng(seed)
    byzantine = random.permutation(N)[:n_byzantine]
    honest = np.setdiff1d(np.arange(N), byzantine)
    truth = _signs(random, 13) * random.uniform(0.5, 1.5, 13)
    rounds, kept = [], []
    for _ in range(n_rounds):
        rows = np.empty((N, 13))
        rows[honest] = truth + 0.4 * random.standard_normal((len(honest), 13))
        rows[byzantine] = attack(rows[honest], n_byzantine, random)
        rounds.append(dict(enumerate(rows.astype(np.float32))))
        kept.append(rows[honest])
    return rounds, kept


def near_the_honest_rows(multiple, *, n_byzantine=2, attacks=(FAR, NEAR, MIXED)):
    """The law ||answer - m|| <= multiple S, against `n_byzantine` of N rows as in `attacks`."""

    def stays_near_the_honest_rows(make):
        for number, attack in enumerate(attack for family in attacks for attack in family.values()):
            rounds, honest = hostile_rounds(attack, n_byzantine, seed=number)
            for (direction, _), x in zip(play(make(), rounds), honest, strict=True):
                spread = np.sqrt(((x - x.mean(0)) ** 2).sum())
                assert np.linalg.norm(direction - x.mean(0)) <= multiple * spread

    return stays_near_the_honest_rows


def keeps_what_all_honest_workers_agree_on(make):
    """Signs: where all honest workers say the same, their number decides."""
    families = (FAR, NEAR, MIXED)
    for number, attack in enumerate(attack for family in families for attack in family.values()):
        rounds, honest = hostile_rounds(attack, 5, seed=number)
        for (direction, _), x in zip(play(make(), rounds), honest, strict=True):
            agreed = np.abs(np.where(x >= 0, 1, -1).sum(0)) == len(x)
            assert agreed.sum() > 5
            assert (direction == np.where(x[0] >= 0, 1, -1))[agreed].all()


def is_never_longer_than_the_median_row(make):
    """Also against attacks that pass every filter."""
    for number, attack in enumerate(
        attack for family in (FAR, NEAR, MIXED) for attack in family.values()
    ):
        rounds, _ = hostile_rounds(attack, 4, seed=number)
        for (direction, _), rows in zip(play(make(), rounds), rounds, strict=True):
            norms = np.linalg.norm(np.stack(list(rows.values())).astype(np.float64), axis=1)
            length = np.linalg.norm(direction.astype(np.float64))
            assert length <= np.median(norms) * (1 + 1e-6)
