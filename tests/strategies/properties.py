"""Laws that rules must obey: each is a function of `make`, which returns a fresh rule, and asserts.

Which rule obeys which is in `rules`. What Byzantine workers may do to the answer is in
`hostile_rows`.
"""

from io import BytesIO

import numpy as np
import torch

from signfed.strategies.core.codecs import CODECS
from tests.strategies.runs import play, random_rounds, reordered, same_bits, updates_of

N = 11  # workers, of which two may be Byzantine for every rule


def answers_with_a_finite_vector(make):
    for n in (1, 2, 3, 4, 15):
        for direction, _ in play(make(), random_rounds(seed=n, n=n)):
            assert direction.shape == (13,) and direction.dtype == np.float32
            assert np.isfinite(direction).all()


def ignores_the_order_of_arrival(make):
    rounds = random_rounds(seed=1, n=N, n_rounds=4, absence=0.2)
    expected = play(make(), rounds)
    for seed in range(2):
        answered = play(make(), [reordered(rows, seed) for rows in rounds])
        for (a, found_a), (b, found_b) in zip(expected, answered, strict=True):
            assert same_bits(a, b) and found_a == found_b


def takes_ids_for_names(make):
    """Worker 5 need not be in row 5: other names in the same order change nothing but names."""
    rounds = random_rounds(seed=2, n=N, n_rounds=4, absence=0.2)
    renamed = [{3 * w + 4: row for w, row in rows.items()} for rows in rounds]
    for (a, found_a), (b, found_b) in zip(play(make(), rounds), play(make(), renamed), strict=True):
        assert same_bits(a, b)
        assert [3 * w + 4 for w in found_a.pop("accepted", [])] == found_b.pop("accepted", [])
        for value, same in zip(found_a.values(), found_b.values(), strict=True):
            if isinstance(value, dict):
                assert list(value.values()) == list(same.values())


def ignores_the_numbering_of_workers(make):
    """No worker has a say because of its id, also through what a rule remembers by id."""
    rounds = random_rounds(seed=2, n=N, n_rounds=4, absence=0.2)
    renumber = np.random.default_rng(2).permutation(N)
    renumbered = [{int(renumber[w]): row for w, row in rows.items()} for rows in rounds]
    for (a, _), (b, _) in zip(play(make(), rounds), play(make(), renumbered), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)  # sums run in another order


def leaves_its_input_untouched(make):
    rule = make()
    for number, rows in enumerate(random_rounds(seed=3, n=N, n_rounds=4), 1):
        updates = updates_of(rule, rows, number)
        before = updates.ids.numpy().tobytes(), updates.rows.numpy().tobytes()
        direction = rule.aggregate(updates)
        direction.fill_(7.0)  # and its answer is not a view of them
        assert (updates.ids.numpy().tobytes(), updates.rows.numpy().tobytes()) == before


def resumes_with_the_same_bits(make):
    """The state survives a file of plain tensors, wherever the run is cut."""
    rounds = random_rounds(seed=4, n=N, absence=0.2, n_rounds=5)
    whole = play(make(), rounds)
    for cut in range(1, len(rounds)):
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
    for (direction, _), rows in _unanimous(make):
        assert same_bits(direction, np.where(rows[0] >= 0, 1.0, -1.0).astype(np.float32))


def answers_ties_and_zeros_with_plus_one(make):
    row = np.array([1.0, -2.0, 3.0], np.float32)
    for n in (2, 4):
        for signs in ([1, -1] * (n // 2), [0] * n):
            ((direction, _),) = play(make(), [{w: s * row for w, s in enumerate(signs)}])
            assert direction.tolist() == [1.0, 1.0, 1.0]


def returns_a_unanimous_row(make):
    for (direction, _), rows in _unanimous(make):
        np.testing.assert_allclose(direction, rows[0], rtol=1e-6)


def stays_among_rows_that_are_nearly_alike(make):
    """A few units in the last place apart, where squared distances lose all their digits."""
    random = np.random.default_rng(10)
    for n in (2, 7, N):
        row = random.uniform(0.5, 1.0, 13) * random.choice([-1.0, 1.0], 13)
        rows = row * (1 + random.integers(-3, 4, (n, 13)) * 2.0**-23)
        ((direction, _),) = play(make(), [dict(enumerate(rows.astype(np.float32)))])
        np.testing.assert_allclose(direction, row, rtol=1e-6)


def answers_zeros_with_zeros(make):
    for n in (1, 2, 3, 4, N):
        zeros = [dict.fromkeys(range(n), np.zeros(13, np.float32))] * 2
        assert [np.abs(direction).max() for direction, _ in play(make(), zeros)] == [0.0, 0.0]


def scales_with_its_input(make):
    rounds = random_rounds(seed=7, n=N, n_rounds=4)
    # 4: exact in binary
    quadrupled = [{w: 4.0 * row for w, row in rows.items()} for rows in rounds]
    pairs = zip(play(make(), rounds), play(make(), quadrupled), strict=True)
    assert all(same_bits(4.0 * a, b) for (a, _), (b, _) in pairs)


def moves_with_its_input(make):
    rounds = random_rounds(seed=8, n=N, n_rounds=4)
    shift = np.linspace(-5.0, 5.0, 13, dtype=np.float32)
    moved = [{w: row + shift for w, row in rows.items()} for rows in rounds]
    for (a, _), (b, _) in zip(play(make(), rounds), play(make(), moved), strict=True):
        np.testing.assert_allclose(b, a + shift, rtol=1e-5, atol=1e-5)


def turns_with_its_input(make):
    """The axes mean nothing to it: it goes by distances and inner products alone."""
    rounds = random_rounds(seed=11, n=N, n_rounds=4)
    axes = np.linalg.qr(np.random.default_rng(11).standard_normal((13, 13)))[0].astype(np.float32)
    turned = [{w: axes @ row for w, row in rows.items()} for rows in rounds]
    for (a, _), (b, _) in zip(play(make(), rounds), play(make(), turned), strict=True):
        np.testing.assert_allclose(b, axes @ a, rtol=0, atol=1e-5)


def _unanimous(make):
    """Every worker sends the first one's row, zeros included: (what was answered, the rows)."""
    for n in (1, 2, 3, 5, N):
        rounds = [dict.fromkeys(range(n), rows[0]) for rows in random_rounds(seed=9)]
        for rows in rounds:
            rows[0][4] = 0.0
        yield from zip(play(make(), rounds), rounds, strict=True)
