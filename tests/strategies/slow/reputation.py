"""sto-signSGD's vote with reputation as in ALGORITHMS.md section 7, with plain loops.

a_m: share of the coordinates, over all rounds in which worker m was there, with Y_m = U.
w_m = max(0, 2 a_m - 1), 1 before the first count; all weights 0 means all weights 1.
"""

from fractions import Fraction


class SlowReputation:
    def __init__(self):
        self.agreed = {}  # m -> [Y_m == U for every coordinate of every round of m]

    def reputation(self, m):
        past = self.agreed[m]
        return Fraction(sum(past), len(past))

    def weights(self, workers):
        weights = {}
        for m in workers:
            weights[m] = Fraction(1)
            if m in self.agreed:
                weights[m] = max(Fraction(0), 2 * self.reputation(m) - 1)
        if all(w == 0 for w in weights.values()):
            return dict.fromkeys(workers, Fraction(1))
        return weights

    def aggregate(self, signs):
        """{worker: list of +1/-1} -> (U, exact scores); counts the round after its vote."""
        weights = self.weights(signs)
        n_coordinates = len(next(iter(signs.values())))
        scores = [sum(weights[m] * y[n] for m, y in signs.items()) for n in range(n_coordinates)]
        u = [1 if score >= 0 else -1 for score in scores]
        for m, y in signs.items():
            self.agreed.setdefault(m, []).extend(a == b for a, b in zip(y, u, strict=True))
        return u, scores
