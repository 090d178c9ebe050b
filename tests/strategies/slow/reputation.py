"""The vote by reputation of ALGORITHMS.md section 7 with plain loops and fractions.

a_m: share of the coordinates, over all rounds in which worker m was there, with Y_m = U.
w_m = max(0, 2 a_m - 1), 1 before the first count; all weights 0 means all weights 1.
"""

from fractions import Fraction


class SlowReputation:
    def __init__(self):
        self.agreed = {}  # m -> [Y_m == U for every coordinate of every round of m]

    def reputation(self):
        return {m: Fraction(sum(past), len(past)) for m, past in self.agreed.items()}

    def weights(self, workers):
        known = self.reputation()
        weights = {m: max(Fraction(0), 2 * known[m] - 1) if m in known else 1 for m in workers}
        return weights if any(weights.values()) else dict.fromkeys(workers, 1)

    def scores(self, signs):
        """sum_m w_m Y_mn for every n; signs: worker -> list of +1/-1. U_n = +1 where it is 0."""
        weights = self.weights(signs)
        n_coordinates = len(next(iter(signs.values())))
        return [sum(weights[m] * y[n] for m, y in signs.items()) for n in range(n_coordinates)]

    def count(self, signs, voted):
        for m, y in signs.items():
            self.agreed.setdefault(m, []).extend(a == u for a, u in zip(y, voted, strict=True))
