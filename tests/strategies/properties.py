"""Laws that rules must obey: each is a function of `make`, which returns a fresh rule, and asserts.

UNIVERSAL holds for every rule of STRATEGIES, so a new one is tested as soon as it is registered;
RULES adds the laws of each rule and the options under which it is tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch

from strategies import STRATEGIES
from strategies.codecs import CODECS
from tests.strategies.runs import play, random_rounds, reordered, same_bits, updates_of


def answers_with_a_finite_vector(make):
    for n in (1, 2, 3, 15):
        for direction, _ in play(make(), random_rounds(seed=n, n=n)):
            assert direction.shape == (13,) and direction.dtype == np.float32
            assert np.isfinite(direction).all()


def ignores_the_order_of_arrival(make):
    rounds = random_rounds(seed=1, absence=0.3)
    expected = play(make(), rounds)
    for seed in range(3):
        answered = play(make(), [reordered(rows, seed) for rows in rounds])
        for (a, found_a), (b, found_b) in zip(expected, answered, strict=True):
            assert same_bits(a, b) and found_a == found_b


def ignores_the_numbering_of_workers(make):
    """No worker has a say because of its id, also through what a rule remembers by id."""
    rounds = random_rounds(seed=2, absence=0.3)
    renumber = [4, 0, 6, 2, 5, 1, 3]
    renumbered = [{renumber[w]: row for w, row in rows.items()} for rows in rounds]
    for (a, _), (b, _) in zip(play(make(), rounds), play(make(), renumbered), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # sums run in another order


def leaves_its_input_untouched(make):
    rule = make()
    for number, rows in enumerate(random_rounds(seed=3), 1):
        updates = updates_of(rule, rows, number)
        before = updates.ids.numpy().tobytes(), updates.rows.numpy().tobytes()
        rule.aggregate(updates)
        assert (updates.ids.numpy().tobytes(), updates.rows.numpy().tobytes()) == before


def resumes_with_the_same_bits(make):
    """The state survives a file of plain tensors, wherever the run is cut."""
    rounds = random_rounds(seed=4, absence=0.3, n_rounds=7)
    whole = play(make(), rounds)
    for cut in range(len(rounds)):
        first_half, second_half = make(), make()
        play(first_half, rounds[:cut])
        file = BytesIO()
        torch.save(first_half.state_dict(), file)
        file.seek(0)
        second_half.load_state_dict(torch.load(file, weights_only=True))
        answered = play(second_half, rounds[cut:], first=cut + 1)
        for (a, found_a), (b, found_b) in zip(whole[cut:], answered, strict=True):
            assert same_bits(a, b) and found_a == found_b


def answers_only_plus_or_minus_one(make):
    for n in (1, 2, 3, 15):
        for direction, _ in play(make(), random_rounds(seed=n, n=n)):
            assert set(np.unique(direction)) <= {-1.0, 1.0}


def ignores_the_scale_of_a_row(make):
    rounds = random_rounds(seed=5)
    scales = np.random.default_rng(5).uniform(1e-3, 1e3, size=7).astype(np.float32)
    scaled = [{w: row * scales[w] for w, row in rows.items()} for rows in rounds]
    for codec in CODECS.values():
        played = play(make(), rounds, codec=codec), play(make(), scaled, codec=codec)
        assert all(same_bits(a, b) for (a, _), (b, _) in zip(*played, strict=True))


def answers_the_same_on_both_channels(make):
    """Signs cut out of float32 rows are the signs that a client would have packed."""
    rounds = random_rounds(seed=6)
    rounds[0][0][:3] = (0.0, -0.0, -1e-30)
    packed = play(make(), rounds, codec=CODECS["sign"])
    plain = play(make(), rounds, codec=CODECS["float32"])
    assert all(same_bits(a, b) for (a, _), (b, _) in zip(packed, plain, strict=True))


def follows_unanimous_signs(make):
    for (direction, _), rows in zip(*_unanimous(make), strict=True):
        assert same_bits(direction, np.where(rows[0] >= 0, 1.0, -1.0).astype(np.float32))


def answers_ties_and_zeros_with_plus_one(make):
    row = np.array([1.0, -2.0, 3.0], np.float32)
    for n in (2, 4):
        for signs in ([1, -1] * (n // 2), [0] * n):
            ((direction, _),) = play(make(), [{w: s * row for w, s in enumerate(signs)}])
            assert direction.tolist() == [1.0, 1.0, 1.0]


def returns_a_unanimous_row(make):
    for (direction, _), rows in zip(*_unanimous(make), strict=True):
        np.testing.assert_allclose(direction, rows[0], rtol=1e-6)


def scales_with_its_input(make):
    rounds = random_rounds(seed=7)
    # 4: exact in binary
    quadrupled = [{w: 4.0 * row for w, row in rows.items()} for rows in rounds]
    pairs = zip(play(make(), rounds), play(make(), quadrupled), strict=True)
    assert all(same_bits(4.0 * a, b) for (a, _), (b, _) in pairs)


def moves_with_its_input(make):
    rounds = random_rounds(seed=8)
    shift = np.linspace(-5.0, 5.0, 13, dtype=np.float32)
    moved = [{w: row + shift for w, row in rows.items()} for rows in rounds]
    for (a, _), (b, _) in zip(play(make(), rounds), play(make(), moved), strict=True):
        np.testing.assert_allclose(b, a + shift, rtol=1e-5, atol=1e-5)


def _unanimous(make):
    """Every worker sends the first one's row, zeros included; (what was answered, the rounds)."""
    rounds = [dict.fromkeys(range(5), rows[0]) for rows in random_rounds(seed=9)]
    for rows in rounds:
        rows[0][4] = 0.0
    return play(make(), rounds), rounds


UNIVERSAL = (
    answers_with_a_finite_vector,
    ignores_the_order_of_arrival,
    ignores_the_numbering_of_workers,
    leaves_its_input_untouched,
    resumes_with_the_same_bits,
)
SIGN_VOTE = (
    answers_only_plus_or_minus_one,
    ignores_the_scale_of_a_row,
    answers_the_same_on_both_channels,
    follows_unanimous_signs,
    answers_ties_and_zeros_with_plus_one,
)
LINEAR = (returns_a_unanimous_row, scales_with_its_input, moves_with_its_input)


@dataclass(frozen=True)
class Rule:
    """What holds for one rule besides UNIVERSAL, and the constructor options to try it with."""

    laws: tuple[Callable, ...] = ()
    variants: tuple[dict, ...] = ({},)


# initial_rounds=2: the runs above reach all phases of sign-fd.
RULES = {
    "mean": Rule(LINEAR),
    "sign-mv": Rule(SIGN_VOTE),
    "sign-fd": Rule(
        SIGN_VOTE,
        tuple({"initial_rounds": 2, "crossover": c} for c in ("alg1", "eq17", "pooled")),
    ),
    # The server's half alone: what the code is worth is in test_election.
    "election": Rule(SIGN_VOTE, ({}, {"code": "bernoulli"})),
    "reputation-mv": Rule(SIGN_VOTE),
    "median": Rule(LINEAR),
    "trimmed-mean": Rule(LINEAR),
    "geometric-median": Rule(LINEAR),
    "krum": Rule(LINEAR),
    "multi-krum": Rule(LINEAR),
    "bulyan": Rule(LINEAR),
    "dnc": Rule(LINEAR),
    # Its radius has the scale of a gradient, and its first centre is 0.
    "centered-clipping": Rule((returns_a_unanimous_row,)),
    # A shift changes signs and norms; a distance in a feature has a scale.
    "signguard": Rule((returns_a_unanimous_row, scales_with_its_input)),
    "signguard-sim": Rule((returns_a_unanimous_row, scales_with_its_input)),
    "signguard-dist": Rule((returns_a_unanimous_row,)),
}


def cases():
    """(name, options, law) for every registered rule, also one that has no row in RULES."""
    for name in STRATEGIES:
        rule = RULES.get(name, Rule())
        for options in rule.variants:
            for law in UNIVERSAL + rule.laws:
                yield name, options, law
