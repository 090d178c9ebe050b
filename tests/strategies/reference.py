"""signSGD-FD transcribed from the paper with plain loops: slow, float64, nothing kept but history.

Park & Lee 2024, Algorithm 1 and eq. 14-17, with what the paper leaves open: a missing worker is
counted over its own rounds c_m in place of t; one that was never counted has weight 0; when that
holds for all that are present (as in round 1) the round is a plain majority vote.
"""

from math import log

EPS, MAX_LLR = 1e-5, 10.0


def llr(p):
    """Eq. 16 with the authors' constants."""
    return max(-MAX_LLR, min(MAX_LLR, log((1 - p + EPS) / (p + EPS))))


class SlowSignFD:
    def __init__(self, initial_rounds, estimator):
        self.initial_rounds = initial_rounds
        self.estimator = estimator
        self.history = {}  # m -> [(i, [Y_mn != U_n for n])]: every round i in which m was there

    def p(self, m, n, t):
        """Probability that worker m errs in coordinate n, as used in round t."""
        past = self.history[m]
        c = len(past)
        if self.estimator == "pooled" or t <= self.initial_rounds + 1:
            return sum(sum(wrong) for _, wrong in past) / (len(past[0][1]) * c)  # eq. 14
        if self.estimator == "alg1":
            return sum(wrong[n] for _, wrong in past) / c  # Algorithm 1
        pooled = [wrong for i, wrong in past if i <= self.initial_rounds]
        later = [wrong for i, wrong in past if i > self.initial_rounds]
        p_pool = 0.0
        if pooled:
            p_pool = sum(sum(wrong) for wrong in pooled) / (len(pooled[0]) * len(pooled))
        return (len(pooled) * p_pool + sum(wrong[n] for wrong in later)) / c  # eq. 17

    def score(self, signs, t):
        """sum_m w_mn Y_mn for every n; signs: worker -> list of +1/-1 (eq. 15)."""
        n_coordinates = len(next(iter(signs.values())))
        nobody_known = not any(m in self.history for m in signs)
        scores = []
        for n in range(n_coordinates):
            total = 0.0
            for m, row in signs.items():
                if nobody_known:
                    total += row[n]
                elif m in self.history:
                    total += llr(self.p(m, n, t)) * row[n]
            scores.append(total)
        return scores

    def count(self, signs, decoded, t):
        for m, row in signs.items():
            wrong = [y != u for y, u in zip(row, decoded, strict=True)]
            self.history.setdefault(m, []).append((t, wrong))

    def crossovers(self):
        """p_m over all coordinates and rounds so far."""
        return {
            m: sum(sum(wrong) for _, wrong in past) / (len(past) * len(past[0][1]))
            for m, past in self.history.items()
        }
