"""What stands before a rule: nearest-neighbour mixing and buckets."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.strategies.arc import ARC
from signfed.strategies.bucketing import Bucketing, bucket_means, of_workers
from signfed.strategies.centered_clipping import CenteredClipping
from signfed.strategies.clipping import Clipping
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import Krum
from signfed.strategies.mean import Mean
from signfed.strategies.multi_krum import MultiKrum
from signfed.strategies.nnm import NearestNeighbourMixing, nearest_neighbour_means
from signfed.strategies.registry import aggregate
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_mv import SignMV
from signfed.strategies.smea import SMEA
from tests.strategies.float_rows import far_out, near_duplicates, rows_of, tiny_copies
from tests.strategies.runs import same_bits
from tests.strategies.slow import float_rules as slow

EDGES = (0, 4, 5, 17, 23)


def updates(rows, ids=None, server_round=1):
    ids = None if ids is None else torch.as_tensor(ids)
    return Updates.from_matrix(torch.from_numpy(rows), ids, server_round=server_round)


@settings(max_examples=30)
@given(
    st.integers(0, 3).flatmap(lambda f: st.tuples(st.just(f), st.integers(2 * f + 1, 2 * f + 7))),
    st.sampled_from([1, 2, 30]),
    st.integers(0, 10**6),
    st.integers(1, 6),
)
def test_the_rows_are_the_definitions(sizes, n_coordinates, seed, size):
    f, n = sizes
    rows = rows_of(seed, n, f, n_coordinates)
    mixed = nearest_neighbour_means(torch.from_numpy(rows), f)
    np.testing.assert_allclose(mixed, slow.nnm(rows.astype(float).tolist(), f), rtol=0, atol=1e-5)
    order = generator(seed, "bucketing", 4).permutation(n)
    means = bucket_means(torch.from_numpy(rows), torch.from_numpy(order), size)
    expected = slow.bucketing(rows.astype(float).tolist(), size, seed, t=4)
    np.testing.assert_allclose(means, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [1e3, 1e30, 3e38])
@pytest.mark.parametrize("honest", [rows_of, near_duplicates])
def test_honest_rows_are_mixed_with_honest_rows(honest, scale):
    """Whichever of them are near: two are left out, besides the Byzantine ones."""
    for seed in range(3):
        rows = honest(seed, 12)
        rows[:2] += 50 * (rows[:2] - rows[2:9].mean(axis=0))
        mixed = nearest_neighbour_means(torch.from_numpy(far_out(rows, 3, scale)), 5).numpy()
        expected = slow.nnm(rows[:9].astype(float).tolist(), 2)
        assert np.abs(mixed[:9] - np.array(expected)).max() <= 2e-6 * np.abs(rows).max()


def test_near_zero_byzantine_rows_are_mixed_among_themselves_first():
    rows = tiny_copies(rows_of(0, 9) + 10, 4)
    mixed = nearest_neighbour_means(torch.from_numpy(rows), 4).numpy()
    np.testing.assert_allclose(mixed[:5] - rows[:5].mean(axis=0), 0, atol=1e-5)
    nearest = np.argmin((rows[:5].astype(float) ** 2).sum(axis=1))
    np.testing.assert_allclose(mixed[5:] - rows[nearest] / 5, 0, atol=1e-5)


def test_of_equally_near_rows_the_lowest_ids():
    """A row at 0, the others at 1 in directions of their own: with f = 2 it takes ids 2, 4, 6."""
    rows = np.vstack([np.zeros(4), np.eye(4)]).astype(np.float32)
    inner = Remembering()
    NearestNeighbourMixing(inner, 2).aggregate(updates(rows, [4, 8, 2, 10, 6]))
    assert inner.seen.ids.tolist() == [2, 4, 6, 8, 10]
    assert inner.seen.rows[1].tolist() == pytest.approx([0.0, 1 / 3, 0.0, 1 / 3])


def test_nothing_left_out_is_the_mean_in_every_row():
    rows = rows_of(1, 8, 2)
    mixed = nearest_neighbour_means(torch.from_numpy(rows), 0).numpy()
    np.testing.assert_allclose(mixed, np.tile(rows.mean(axis=0), (8, 1)), rtol=0, atol=1e-5)


class Remembering(Mean):
    """A mean that keeps what it was shown."""

    def aggregate(self, updates):
        self.seen = updates
        return super().aggregate(updates)


@pytest.mark.parametrize("kind", [Bucketing, NearestNeighbourMixing, Clipping, ARC])
def test_the_inner_rule_hears_where_layers_begin(kind):
    inner = Remembering()
    kind(inner)(rows_of(9, 7), edges=EDGES)
    assert inner.seen.edges == EDGES


def test_a_rule_that_goes_by_layers_does_so_behind_a_pre_aggregation():
    rows, mixing = rows_of(9, 9, 2), {"n_byzantine": 3, "pre_aggregation": "nnm"}
    by_layer = aggregate("lasa", rows, edges=EDGES, **mixing)
    assert not np.array_equal(by_layer, aggregate("lasa", rows, **mixing))


def test_buckets_are_drawn_anew_each_round_and_seed():
    rows = rows_of(2, 9)
    drawn = set()
    for seed in range(3):
        inner = Remembering()
        rule = Bucketing(inner, size=4, seed=seed)
        for t in range(1, 5):
            rule.aggregate(updates(rows, np.arange(9) * 2, t))
            assert inner.seen.server_round == t and inner.seen.ids.tolist() == [0, 1, 2]
            expected = slow.bucketing(rows.astype(float).tolist(), 4, seed, t)
            np.testing.assert_allclose(inner.seen.rows, expected, rtol=0, atol=1e-5)
            drawn.add(inner.seen.rows.numpy().tobytes())
    assert len(drawn) == 12


@pytest.mark.parametrize("name", ["mean", "krum", "multi-krum", "dnc", "geometric-median"])
def test_buckets_of_one_are_the_rule_on_permuted_rows(name):
    rows = rows_of(3, 11, 2)
    order = generator(6, "bucketing", 1).permutation(11)
    options = {"n_byzantine": 2, "seed": 6}
    found = aggregate(
        name, rows, pre_aggregation="bucketing", pre_aggregation_options={"size": 1}, **options
    )
    assert same_bits(found, aggregate(name, rows[order], **options))


def test_one_bucket_of_all_is_the_mean():
    rows = rows_of(4, 7)
    for size in (7, 100):
        found = aggregate(
            "median", rows, pre_aggregation="bucketing", pre_aggregation_options={"size": size}
        )
        np.testing.assert_allclose(found, rows.mean(axis=0), rtol=0, atol=1e-5)


def test_accepted_names_workers():
    rows, ids = rows_of(5, 11, 1, outlier=50.0), np.arange(11) * 3 + 1
    rule = Bucketing(Krum(n_byzantine=1), size=2, seed=2)
    order = generator(2, "bucketing", 5).permutation(11)
    buckets = [ids[order[i : i + 2]].tolist() for i in range(0, 11, 2)]
    answer = rule.aggregate(updates(rows, ids, 5))
    means = slow.bucketing(rows.astype(float).tolist(), 2, 2, 5)
    chosen = slow.krum_order(means, 1)[0]
    assert rule.diagnostics()["accepted"] == sorted(buckets[chosen])
    assert rule.diagnostics()["buckets"] == buckets
    np.testing.assert_allclose(answer, means[chosen], rtol=0, atol=1e-5)
    mixed = NearestNeighbourMixing(MultiKrum(n_byzantine=1, selected=3), 1)
    mixed.aggregate(updates(rows, ids))
    order = slow.krum_order(slow.nnm(rows.astype(float).tolist(), 1), 1)
    assert mixed.diagnostics()["accepted"] == sorted(ids[order[:3]].tolist())


def test_a_bucket_s_weight_is_shared_by_those_in_it():
    found = of_workers({"weights": {0: 0.6, 1: 0.4}}, [[7, 4], [9]])
    assert found["weights"] == {4: 0.3, 7: 0.3, 9: 0.4}


def test_the_inner_rule_is_checked_for_as_many_rows_as_there_are_buckets():
    """SMEA looks at all subsets: of 15 means it can, of 30 rows it cannot."""
    with pytest.raises(ValueError, match="subsets"):
        SMEA(n_byzantine=6).check(30, 1)
    Bucketing(SMEA(n_byzantine=6), size=2).check(30, 1)


@pytest.mark.parametrize("kind", [Bucketing, NearestNeighbourMixing])
def test_memory_is_the_inner_rules(kind):
    rule, inner = kind(CenteredClipping(radius=1.0)), CenteredClipping(radius=1.0)
    assert rule.state_dict() == {}
    rule.aggregate(updates(rows_of(6, 8)))
    assert torch.equal(rule.state_dict()["center"], rule.inner.state_dict()["center"])
    inner.load_state_dict(rule.state_dict())
    again = kind(CenteredClipping(radius=1.0))
    again.load_state_dict(rule.state_dict())
    rows = rows_of(7, 8)
    expected = rule.aggregate(updates(rows, server_round=2))
    assert torch.equal(again.aggregate(updates(rows, server_round=2)), expected)
    fresh = kind(CenteredClipping(radius=1.0))
    assert not torch.equal(fresh.aggregate(updates(rows, server_round=2)), expected)


@pytest.mark.parametrize(
    "name, options", [("sign-fd", {"estimator": "pooled"}), ("reputation-mv", {})]
)
def test_buckets_have_no_record(name, options):
    rows = rows_of(8, 7)
    with pytest.raises(ValueError, match="expected another rule, or nnm"):
        aggregate(name, rows, pre_aggregation="bucketing", **options)
    mixed = aggregate(name, rows, pre_aggregation="nnm", n_byzantine=1, **options)
    assert set(mixed) <= {-1.0, 1.0}


def test_buckets_have_no_record_of_mixed_rows_either():
    with pytest.raises(ValueError, match="goes by which worker a row is of"):
        Bucketing(NearestNeighbourMixing(SignFD("pooled")))


def test_a_vote_takes_the_signs_of_means_of_signs():
    """Three of one sign against two of the other in every row; nearest first."""
    rows = np.array([[1, 1], [1, 1], [1, -1], [-1, -1], [-1, -1]], np.float32)
    signs = Updates.from_matrix(torch.from_numpy(rows), signs=True)
    inner = SignMV()
    rule = NearestNeighbourMixing(inner, 2)
    assert rule.encoder == inner.encoder
    # Means of 0 1 2 for rows 0 and 1, of 2 0 1 for row 2, of 3 4 2 for rows 3 and 4.
    assert rule.mix(signs).rows.tolist() == pytest.approx(
        np.array([[1, 1 / 3]] * 3 + [[-1 / 3, -1]] * 2)
    )
    assert rule.aggregate(signs).tolist() == [1.0, 1.0]


def test_options_out_of_range():
    sizes = {"size": 0}
    with pytest.raises(ValueError, match="size: expected a whole number of at least 1; got 0"):
        aggregate("mean", rows_of(0, 3), pre_aggregation="bucketing", pre_aggregation_options=sizes)
    with pytest.raises(ValueError, match=r"threshold: expected a number above 0; got 0$"):
        aggregate(
            "mean",
            rows_of(0, 3),
            pre_aggregation="clipping",
            pre_aggregation_options={"threshold": 0},
        )
