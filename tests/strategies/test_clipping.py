"""Clipping before a rule, to a fixed length or to one that the rows give; several in a row."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.arc import ARC, adaptive_threshold
from signfed.strategies.bucketing import Bucketing
from signfed.strategies.clipping import Clipping, clipped
from signfed.strategies.core.updates import Updates
from signfed.strategies.median import CoordinateMedian
from signfed.strategies.multi_krum import MultiKrum
from signfed.strategies.ops.linalg import norms
from signfed.strategies.pre_aggregations import in_a_row
from signfed.strategies.registry import aggregate, before
from signfed.strategies.sign_fd import SignFD
from tests.strategies.float_rows import rows_of
from tests.strategies.places import PLACES
from tests.strategies.slow import float_rules as slow


@settings(max_examples=30)
@given(
    st.integers(0, 3).flatmap(lambda f: st.tuples(st.just(f), st.integers(2 * f + 1, 2 * f + 7))),
    st.sampled_from([1, 2, 30]),
    st.integers(0, 10**6),
    st.floats(0.1, 20.0),
)
def test_the_rows_are_the_definitions(sizes, n_coordinates, seed, threshold):
    f, n = sizes
    rows = rows_of(seed, n, f, n_coordinates)
    rows[0] = 0.0
    as_lists, matrix = rows.astype(float).tolist(), torch.from_numpy(rows)
    shortened = clipped(matrix, norms(matrix), threshold)
    np.testing.assert_allclose(shortened, slow.clipping(as_lists, threshold), rtol=1e-5, atol=1e-6)
    adaptive = clipped(matrix, norms(matrix), adaptive_threshold(norms(matrix), f))
    np.testing.assert_allclose(adaptive, slow.arc(as_lists, f), rtol=1e-5, atol=1e-6)
    assert matrix.numpy().tobytes() == rows.tobytes()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scale", [1e3, 1e30, 3e38])
def test_a_row_far_out_keeps_its_direction(place, scale):
    """Also where the factor is no normal float32: 2 / (3e38 sqrt(4000))."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 4000)
    rows = place(torch.from_numpy(np.vstack([scale * signs, 1e-3 * signs]).astype(np.float32)))
    shortened = clipped(rows, norms(rows), 2.0).cpu()
    np.testing.assert_allclose(shortened[0], 2.0 * signs / np.sqrt(4000), rtol=1e-6)
    assert torch.equal(shortened[1], rows[1].cpu())


def test_rows_that_are_short_enough_are_not_copied():
    rows = torch.from_numpy(rows_of(1, 5))
    assert clipped(rows, norms(rows), 1e3) is rows


@pytest.mark.parametrize("n, f", [(5, 2), (11, 2), (15, 6), (242, 33)])
def test_arc_shortens_at_least_f_rows_and_half_of_them_at_most(n, f):
    """242, 33: where (2 f / n) (n - f), in floats, is just below a whole number."""
    lengths = torch.arange(1.0, n + 1, dtype=torch.float64)
    shortened = int((lengths > adaptive_threshold(lengths, f)).sum())
    assert f <= shortened <= n / 2
    assert shortened == (57 if n == 242 else int(2 * f / n * (n - f) + 1e-9))


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e30])
def test_what_byzantine_workers_can_do_to_a_mean_behind_arc_is_an_honest_rows_length(scale):
    rows = rows_of(2, 15, 6)
    rows[9:] *= scale
    answer = aggregate("mean", rows, n_byzantine=6, pre_aggregation="arc")
    assert np.linalg.norm(answer) <= np.linalg.norm(rows[:9], axis=1).max()


def test_the_first_comes_first():
    rows = rows_of(3, 11, 2, outlier=50.0)
    as_lists = rows.astype(float).tolist()
    options = {"n_byzantine": 2, "pre_aggregation_options": {"threshold": 3.0}}
    clip_first = aggregate("mean", rows, pre_aggregation="clipping,nnm", **options)
    mix_first = aggregate("mean", rows, pre_aggregation="nnm, clipping", **options)
    expected = slow.mean_of(slow.nnm(slow.clipping(as_lists, 3.0), 2))
    np.testing.assert_allclose(clip_first, expected, rtol=1e-4, atol=1e-5)
    expected = slow.mean_of(slow.clipping(slow.nnm(as_lists, 2), 3.0))
    np.testing.assert_allclose(mix_first, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(clip_first - mix_first).max() > 0.01


def test_an_option_goes_to_all_that_have_it_or_to_the_one_that_is_named():
    rows = rows_of(4, 12)
    found = aggregate(
        "median",
        rows,
        seed=5,
        pre_aggregation="bucketing,clipping,nnm",
        pre_aggregation_options={"size": 3, "clipping.threshold": 2.5},
    )
    mixed = slow.nnm(slow.clipping(slow.bucketing(rows.tolist(), 3, seed=5), 2.5), 0)
    np.testing.assert_allclose(found, slow.median(mixed), rtol=1e-4, atol=1e-5)


def test_names_in_a_row():
    assert in_a_row("none") == ()
    assert in_a_row("arc") == ("arc",)
    assert in_a_row("clipping, nnm,bucketing") == ("clipping", "nnm", "bucketing")


def test_each_checks_the_number_of_rows_that_it_gets():
    """Of 9 workers 5 buckets, of which nnm can do with 2 Byzantine ones, and multi-krum not."""
    mixing = [("bucketing", {"size": 2}), ("nnm", {})]
    serving = before(CoordinateMedian(), mixing, n_byzantine=2, seed=0)
    assert serving.admissible(9) is None
    assert "nnm needs n >= 2f+1: got n=4 updates" in serving.admissible(8)
    krum = before(MultiKrum(2), mixing, n_byzantine=2, seed=0)
    assert "multi-krum needs n >= 2f+3: got n=5 updates" in krum.admissible(9)
    assert "arc needs n >= 2f+1: got n=4" in ARC(CoordinateMedian(), 2).admissible(4)
    assert krum.title() == "Bucketing(NearestNeighbourMixing(MultiKrum))"
    assert " before NearestNeighbourMixing {'n_byzantine': 2} before Multi" in krum.describe()


def test_buckets_behind_another_still_have_no_record_of_workers():
    with pytest.raises(ValueError, match="goes by which worker a row is of"):
        Bucketing(Clipping(SignFD("pooled")))
    mixing = [("clipping", {}), ("bucketing", {})]
    with pytest.raises(ValueError, match="goes by which worker a row is of"):
        before(SignFD("pooled"), mixing, n_byzantine=0, seed=0)


def test_findings_name_workers_behind_any_number_of_pre_aggregations():
    rows = rows_of(6, 11, 2, outlier=50.0)
    ids = torch.arange(11) * 3 + 1
    mixing = [("arc", {}), ("clipping", {"threshold": 4.0})]
    rule = before(MultiKrum(2, selected=3), mixing, n_byzantine=2, seed=0)
    rule.aggregate(Updates.from_matrix(torch.from_numpy(rows), ids, server_round=2))
    mixed = slow.clipping(slow.arc(rows.astype(float).tolist(), 2), 4.0)
    accepted = slow.krum_order(mixed, 2)[:3]
    assert rule.diagnostics()["accepted"] == sorted(ids[accepted].tolist())


@pytest.mark.parametrize("kind", [Clipping, ARC])
def test_a_vote_hears_nothing_of_it(kind):
    rows = torch.from_numpy(rows_of(7, 7))
    signs = Updates.from_matrix(rows, signs=True)
    rule = kind(SignFD("pooled"))
    assert rule.encoder == "sign" and rule.remembers_workers
    assert torch.equal(rule.aggregate(signs), SignFD("pooled").aggregate(signs))
