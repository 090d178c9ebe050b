"""The maximum-likelihood mean of random bits, with its encoder."""

import numpy as np
import pytest
import torch

from signfed.clients import ENCODERS
from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean
from signfed.strategies.probit_plus import ProbitPlus, likeliest_mean
from signfed.strategies.registry import aggregate
from tests.strategies.ops.samples import SIZES
from tests.strategies.places import PLACES
from tests.strategies.runs import updates_of
from tests.strategies.slow.new_rules import likelihood


def sent(values, b, seed):
    """The updates that the server gets: a row a worker, encoded with coins of its own."""
    encoder = ENCODERS["probit"](range=b)
    rows = {
        w: encoder.encode(row, None, lambda w=w: np.random.default_rng((seed, w)))[0]
        for w, row in enumerate(values.astype(np.float32))
    }
    return Updates.from_rows(rows, encoder.codec, values.shape[1], 1)


def test_golden():
    # 3, 2, 1, 0 of 4 say +.
    signs = torch.tensor([[1, 1, 1, -1], [1, 1, -1, -1], [1, -1, -1, -1], [-1, -1, -1, -1.0]])
    updates = Updates.from_matrix(signs, signs=True)
    assert ProbitPlus().aggregate(updates).tolist() == [0.5, 0.0, -0.5, -1.0]
    assert likeliest_mean(updates.signs(), 0.02).tolist() == pytest.approx([0.01, 0, -0.01, -0.02])


def test_no_other_value_is_likelier():
    draws = np.random.default_rng(0)
    for b in (0.01, 3.0):
        rows = draws.standard_normal((7, 5)) * b
        updates = sent(rows, b, seed=1)
        found = ProbitPlus().aggregate(updates).tolist()
        for column, theta in zip(updates.signs().dense().T.tolist(), found, strict=True):
            best = likelihood(theta, column, b)
            others = [likelihood(x, column, b) for x in np.linspace(-b, b, 101)]
            assert best >= max(others) * (1 - 1e-6)


def test_the_estimate_has_no_bias_but_the_clipping():
    """Over 40,000 equal coordinates, within 5 standard errors b / sqrt(n N)."""
    values, b, n_coordinates = [0.3, -0.1, 0.7, 2.0], 0.5, 40_000
    rows = np.repeat(np.array(values)[:, None], n_coordinates, axis=1)
    found = float(ProbitPlus().aggregate(sent(rows, b, seed=2)).mean())
    assert found == pytest.approx(
        np.clip(values, -b, b).mean(), abs=5 * b / (4 * n_coordinates) ** 0.5
    )


@pytest.mark.parametrize("f", [1, 6, 14])
def test_f_of_n_workers_move_a_coordinate_by_2_b_f_over_n_and_no_more(f):
    b, draws = 0.25, np.random.default_rng(f)
    honest = sent(draws.uniform(-b, b, (15, 200)), b, seed=3)
    before = ProbitPlus().aggregate(honest)
    rows = honest.rows.clone()
    rows[:f] = torch.from_numpy(draws.integers(0, 256, (f, rows.shape[1])).astype(np.uint8))
    rows[:f, :3], rows[:f, 3:6] = 0, 255
    moved = ProbitPlus().aggregate(Updates(honest.ids, 1, 200, rows, True, b)) - before
    assert moved.abs().max() <= 2 * b * f / 15 * (1 + 1e-6)
    assert moved.abs().max() > 2 * b * f / 15 * 0.5


def test_it_is_the_mean_of_what_the_bits_stand_for():
    updates = sent(np.random.default_rng(4).standard_normal((9, 77)) / 50, 0.02, seed=4)
    assert set(updates.dense().abs().unique().tolist()) == {np.float32(0.02)}
    np.testing.assert_allclose(
        ProbitPlus().aggregate(updates), Mean().aggregate(updates), rtol=1e-5, atol=1e-9
    )


def test_rows_that_were_never_bits_are_averaged():
    rows = np.random.default_rng(5).standard_normal((5, 8)).astype(np.float32)
    np.testing.assert_allclose(aggregate("probit-plus", rows), rows.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_the_mean_sign_is_exact(place):
    from signfed.strategies.ops.packed import PackedSigns

    for n_coordinates in SIZES:
        rows = np.random.default_rng(n_coordinates).choice([-1.0, 1.0], (5, n_coordinates))
        found = PackedSigns.pack(place(torch.from_numpy(rows))).mean()
        assert found.tolist() == (rows.sum(axis=0).astype(np.float32) / np.float32(5)).tolist()


def test_a_vote_takes_the_bits_and_too_few_rows_their_magnitude():
    rows = {0: np.array([1.0, -1.0], np.float32)}
    updates = updates_of(ProbitPlus(), rows, 1)
    from signfed.strategies.core.fallback import fallback

    assert fallback(updates).tolist() == pytest.approx([0.01, -0.01])
