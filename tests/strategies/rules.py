"""Which law holds for which rule, and with which options each is tried."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt

from signfed.strategies.core.options import options_of
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES, before, build
from tests.strategies import properties as law
from tests.strategies.hostile_rows import (
    FAR,
    NEAR,
    is_never_longer_than_the_median_row,
    keeps_what_all_honest_workers_agree_on,
    near_the_honest_rows,
)

UNIVERSAL = (
    law.answers_with_a_finite_vector,
    law.ignores_the_order_of_arrival,
    law.takes_ids_for_names,
    law.leaves_its_input_untouched,
    law.resumes_with_the_same_bits,
)
VOTE = (
    law.answers_only_plus_or_minus_one,
    law.ignores_the_numbering_of_workers,
    law.ignores_the_scale_of_a_row,
    law.answers_the_same_on_both_channels,
    law.follows_unanimous_signs,
    law.answers_ties_and_zeros_with_plus_one,
    keeps_what_all_honest_workers_agree_on,
)
FLOAT = (
    law.returns_a_unanimous_row,
    law.stays_among_rows_that_are_nearly_alike,
    law.answers_zeros_with_zeros,
)
COORDINATES = (*FLOAT, law.scales_with_its_input, law.moves_with_its_input)
DISTANCES = (*COORDINATES, law.turns_with_its_input)
# A norm is one around 0, a sign is one against 0: nothing of SignGuard moves with its input.
SIGN_GUARD = (
    *FLOAT,
    law.ignores_the_numbering_of_workers,
    is_never_longer_than_the_median_row,
    # A row within [0.1, 3] median norms can pass, so it is not the spread that bounds it, but the
    # median norm. A row farther out is gone: what is left are honest rows, some shortened to M, by
    # not more than the largest difference of two honest norms, 2 S.
    near_the_honest_rows(3.0, attacks=(FAR,)),
)
# All coordinates: with few, shares coincide, and of clusters of one size the lowest id decides.
WHOLE = ({"fraction": 1.0},)
ANYONE = law.ignores_the_numbering_of_workers


@dataclass(frozen=True)
class Rule:
    """What holds for one rule besides UNIVERSAL, and the constructor options to try it with."""

    laws: tuple[Callable, ...]
    variants: tuple[dict, ...] = ({},)


# initial_rounds=2: the runs of the laws reach all phases of sign-fd.
RULES = {
    "mean": Rule((*DISTANCES, ANYONE)),
    "sign-mv": Rule(VOTE),
    "sign-fd": Rule(
        VOTE,
        (*({"initial_rounds": 2, "estimator": e} for e in ("pooled", "alg1", "eq17")), {}),
    ),
    # The server's half alone: what the code is worth is in test_election.
    "election": Rule(VOTE, ({}, {"code": "bernoulli"})),
    "reputation-mv": Rule(VOTE),
    # Ties: the server's signs have a say. What all honest workers agree on: not for any f.
    "sign-fv": Rule(
        (
            law.answers_only_plus_or_minus_one,
            law.ignores_the_numbering_of_workers,
            law.ignores_the_scale_of_a_row,
            law.answers_the_same_on_both_channels,
            law.follows_unanimous_signs,
        )
    ),
    "fedseca": Rule(VOTE, ({"n_byzantine": 0},)),
    # What all honest workers agree on: for f as it is declared, in test_robust_lr.
    "robust-lr": Rule(VOTE[:-1], ({"n_byzantine": 2}, {"threshold": 4})),
    # It takes what bits stand for, so it has a law of its own: test_probit_plus.
    "probit-plus": Rule((ANYONE,)),
    # Between honest values in every coordinate.
    "median": Rule(
        (*COORDINATES, ANYONE, near_the_honest_rows(1.0, n_byzantine=5)), ({}, {"even": "lower"})
    ),
    "trimmed-mean": Rule((*COORDINATES, ANYONE, near_the_honest_rows(1.0)), ({"n_byzantine": 2},)),
    # (1 - a) / sqrt(1 - 2a) times the farthest honest row, a = f / n (Minsker 2015, lemma 2.1).
    "geometric-median": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(6 / 11 / sqrt(1 / 11), n_byzantine=5)),
    ),
    # The best honest score is not above their mean, which is at most 2 S^2, and the score of a
    # Byzantine row that beats it holds its distance to an honest row.
    "krum": Rule((*DISTANCES, ANYONE, near_the_honest_rows(1 + sqrt(2))), ({"n_byzantine": 2},)),
    # Likewise, but the selected ones have only to beat the worst honest score, (n - f + 1) S^2.
    "multi-krum": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(1 + sqrt(10))), ({"n_byzantine": 2},)
    ),
    # Per coordinate: the median is within the honest range, and the values that are averaged are
    # not farther from it than the farthest honest one. Its last Krum rounds sum one neighbour, and
    # of two rows that are nearest to each other the lower id goes first: no law of numbering.
    # Of means: a Byzantine row of Multi-Krum's has a sum of 7 no larger than some honest row's, at
    # least 6 of its 7 are honest, so it is within 7/6 sqrt(2) S of one of them, 2.65 S of m. Two of
    # at least three rows make a mean within 2.1 S; three of the five means are at least as far out
    # as their median in each coordinate: it is within sqrt(5/3) 2.1 S = 2.72 S.
    "bulyan": Rule(
        (*COORDINATES, near_the_honest_rows(3.0)),
        ({"n_byzantine": 2}, {"n_byzantine": 1}, {"n_byzantine": 2, "of": "multi-krum"}),
    ),
    # It looks along one direction, so attacks of several magnitudes hide each other (not MIXED); of
    # attacks that are less than outliers some stay.
    "dnc": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(1.0, attacks=(FAR, NEAR))), ({"n_byzantine": 2},)
    ),
    # Its ball has a radius of its own, and the first is around 0: it neither scales nor moves with
    # its input. f Byzantine workers hold it f radius / (n - f) = 2.2 away from m at most: S / 2.
    "centered-clipping": Rule(
        (*FLOAT, ANYONE, law.turns_with_its_input, near_the_honest_rows(1.0))
    ),
    # Neither moves with its input: a direction is one from 0. Laws of its own: test_fltrust.
    "fltrust": Rule((*FLOAT, ANYONE, law.scales_with_its_input)),
    # With some values set to 0 a unanimous row is not the answer.
    "lasa": Rule(
        (*FLOAT, ANYONE, law.scales_with_its_input, is_never_longer_than_the_median_row),
        ({"sparsity": 0.0},),
    ),
    # Nine rows, of which seven or more are honest: two Byzantine ones at most are one diameter, at
    # most that of the honest rows, sqrt(2) S, away from these seven, whose mean is at most
    # sqrt(1/7 - 1/9) S away from m.
    "mda": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(2 / 9 * sqrt(2) + sqrt(2 / 63))),
        ({"n_byzantine": 2},),
    ),
    # As for bulyan: n - f values are honest, so the n - f nearest are no farther from the median.
    "meamed": Rule((*COORDINATES, ANYONE, near_the_honest_rows(3.0)), ({"n_byzantine": 2},)),
    # Within two radii, each at most the honest diameter, of an honest row.
    "monna": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(1 + 2 * sqrt(2))), ({"n_byzantine": 2},)
    ),
    # While Byzantine rows lose no less weight than honest ones, the variance falls to 2 S^2 / 7 or
    # below. With that variance and an honest weight above 7 - 2, the mean is within sqrt(2/7 2/5) S
    # of that of the honest rows, and that is within sqrt(1/5 - 1/9) S of m.
    "caf": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(sqrt(4 / 35) + sqrt(4 / 45))),
        ({"n_byzantine": 2},),
    ),
    # Likewise, with a variance of at most S^2 / 9 and seven honest rows.
    "smea": Rule(
        (*DISTANCES, ANYONE, near_the_honest_rows(2 * sqrt(2 / 63))), ({"n_byzantine": 2},)
    ),
    # It goes by lengths alone, which do not move with the input. Of longer rows nothing is left.
    "cge": Rule(
        (
            *FLOAT,
            ANYONE,
            law.scales_with_its_input,
            law.turns_with_its_input,
            near_the_honest_rows(1e-5, attacks=(FAR,)),
        ),
        ({"n_byzantine": 2},),
    ),
    "signguard": Rule((*SIGN_GUARD, law.scales_with_its_input), WHOLE),
    "signguard-sim": Rule((*SIGN_GUARD, law.scales_with_its_input), WHOLE),
    # A distance is among its features, beside shares: it does not scale with its input.
    "signguard-dist": Rule(SIGN_GUARD, WHOLE),
}

# Behind a pre-aggregation. Buckets are drawn by the order of ids: no law of numbering.
MIXED_RULES = {
    # 2 of 6 buckets hold Byzantine rows, the others are within the honest range.
    "bucketing median": Rule((*COORDINATES, near_the_honest_rows(1.0))),
    "bucketing krum": Rule(DISTANCES, ({"n_byzantine": 1},)),
    "bucketing centered-clipping": Rule(FLOAT),
    # The n - f rows nearest to an honest one are not farther from it than all honest ones are, so
    # their mean is within 3 S of m; and a trimmed mean lies between such means.
    "nnm trimmed-mean": Rule(
        (*COORDINATES, ANYONE, near_the_honest_rows(9.0)), ({"n_byzantine": 2},)
    ),
    "nnm signguard-sim": Rule(FLOAT, ({"n_byzantine": 2, "fraction": 1.0},)),
    "nnm sign-mv": Rule(VOTE[:1]),
    # Longer than all rows of the laws, but for the hostile ones.
    "clipping mean": Rule((*FLOAT, ANYONE, law.turns_with_its_input), ({"threshold": 30.0},)),
    "arc mean": Rule(
        (*FLOAT, ANYONE, law.scales_with_its_input, law.turns_with_its_input), ({"n_byzantine": 2},)
    ),
    "arc sign-mv": Rule(VOTE[:1]),
    # Honest rows are not clipped, so for the others it is one more thing that they could have sent.
    "clipping nnm trimmed-mean": Rule(
        (*FLOAT, ANYONE, near_the_honest_rows(9.0)), ({"n_byzantine": 2, "threshold": 30.0},)
    ),
}


def factory(name: str, options: dict) -> Callable:
    """`make` of a rule: "krum", or "clipping nnm krum" behind pre-aggregations."""
    *mixers, inner = name.split()
    told = {"n_byzantine": options.get("n_byzantine", 0), "seed": options.get("seed", 0)}
    own = {key: value for key, value in options.items() if key not in told}
    of_mixers = {key: own.pop(key) for key in ("size", "threshold") if key in own}
    mixing = [
        (name, {k: of_mixers[k] for k in _names(PRE_AGGREGATIONS[name]) if k in of_mixers})
        for name in mixers
    ]
    return lambda: before(build(STRATEGIES[inner], **told, **own), mixing, **told)


def _names(kind: Callable) -> list[str]:
    return [option.name for option in options_of(kind)]


def cases() -> Iterator[tuple[str, dict, Callable]]:
    """(name, options, law) for all rules, also one that has no row in RULES."""
    rows = {name: RULES.get(name, Rule(())) for name in STRATEGIES} | MIXED_RULES
    for name, rule in rows.items():
        for options in rule.variants:
            for each in UNIVERSAL + rule.laws:
                yield name, options, each
