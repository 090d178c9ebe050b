"""The 24 invariants that any implementation of these algorithms keeps, and where each is held.

Those that no other file holds are here.
"""

import ast
from pathlib import Path

import numpy as np
import pytest

from signfed.strategies.bounds.majority_vote import mv_bound
from signfed.strategies.registry import aggregate
from tests.strategies.runs import same_bits

TESTS = Path(__file__).resolve().parent.parent
HERE = "strategies/test_invariants.py::"
SIGN_FD = "strategies/test_sign_fd.py::"
ELECTION = "strategies/test_election.py::"
SIGNGUARD = "strategies/test_signguard.py::"
EDGES = "strategies/test_signguard_edges.py::"
HOSTILE = "strategies/test_hostile_rows.py::"
FD_BOUNDS = "strategies/bounds/test_federated_defense.py::"
BFT_BOUNDS = "strategies/bounds/test_byzantine_fault_tolerance.py::"
EC_BOUNDS = "strategies/bounds/test_election.py::"

INVARIANTS = {
    1: (SIGN_FD + "test_equal_weights_are_a_majority_vote",),
    2: (SIGN_FD + "test_true_weights_decode_the_most_likely_signs",),
    # Exceptions: exact ties, and what is drawn for the row and not for the worker.
    3: ("strategies/properties.py::ignores_the_numbering_of_workers",),
    4: (
        ELECTION + "test_no_b_byzantine_workers_change_any_message",
        ELECTION + "test_redundancy_is_that_of_theorem_3",
        ELECTION + "test_the_matrix_of_the_paper",
    ),
    5: (SIGN_FD + "test_an_inverted_worker_is_read_inverted",),
    6: (
        "attacks/test_attacks.py::test_a_flipped_worker_errs_with_p_plus_r_times_1_minus_2p",
        FD_BOUNDS + "test_ssfa_is_a_second_channel",
    ),
    7: (
        SIGNGUARD + "test_skewed_signs_betray_a_sign_flip",
        SIGNGUARD
        + "test_balanced_signs_hide_a_sign_flip_from_the_statistics_but_not_from_a_similarity",
    ),
    8: (
        EDGES + "test_a_constant_features_accept_everyone",
        EDGES + "test_a_two_equal_halves_are_two_clusters_and_the_lowest_id_decides",
    ),
    9: (HERE + "test_krum_returns_an_honest_row",),
    10: (HERE + "test_a_median_lies_between_honest_values",),
    11: (HERE + "test_nothing_trimmed_is_the_mean",),
    12: ("strategies/core/test_codecs.py::test_signs_survive_the_wire",),
    13: ("attacks/test_byzmean.py::test_the_mean_of_all_rows_is_the_row_of_the_inner_attack",),
    14: ("attacks/test_lie.py::test_z_max_of_50_workers",),
    15: ("attacks/test_min_max.py::test_gamma_is_feasible_and_the_least_more_is_not",),
    16: (
        FD_BOUNDS + "test_fd_bound_holds_for_any_weights_within_the_margins",
        FD_BOUNDS + "test_mv_bound_holds",
        FD_BOUNDS + "test_fd_bound_ssfa_holds",
        BFT_BOUNDS + "test_vote_failure_bounds_hold",
        EC_BOUNDS + "test_q_local_holds",
        EC_BOUNDS + "test_alpha_ok_holds_for_independent_nodes",
    ),
    17: (BFT_BOUNDS + "test_form_b_fails",),
    18: (HERE + "test_a_majority_vote_of_bad_workers_has_no_bound",),
    19: (
        HOSTILE + "test_a_row_that_is_not_finite_counts_as_absent",
        HOSTILE + "test_whole_rounds",
        "strategies/server/hostile/test_matrix.py::test_a_fault_is_counted_and_leaves_no_trace",
    ),
    20: (
        EDGES + "test_d_an_empty_intersection_leaves_the_largest_cluster",
        HOSTILE + "test_too_few_rows_left_are_answered_by_the_median",
    ),
    21: (HOSTILE + "test_too_many_byzantine_rows_are_refused_before_a_value_is_looked_at",),
    22: (SIGN_FD + "test_a_missing_workers_record_does_not_move",),
    23: ("strategies/test_ties.py::test_the_answer_to_a_tie",),
    24: ("clients/test_encoders.py::test_nothing_is_ever_lost_with_error_feedback",),
}


def defined_in(file):
    """Names of the functions at the top of a file of tests."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_invariant_has_its_tests():
    assert set(INVARIANTS) == set(range(1, 25))
    for names in INVARIANTS.values():
        for file, name in (each.split("::") for each in names):
            assert name in defined_in(file), f"{file} has no {name}"


@pytest.mark.parametrize("n, f", [(3, 0), (5, 1), (7, 2), (12, 4)])
def test_krum_returns_an_honest_row(n, f):
    """As it is, to the bit, while the honest rows are near each other."""
    random = np.random.default_rng(n)
    for _ in range(20):
        rows = (random.standard_normal(6) + 0.1 * random.standard_normal((n, 6))).astype(np.float32)
        byzantine = random.permutation(n)[:f]
        rows[byzantine] += 3 * random.standard_normal((f, 6)).astype(np.float32)
        answer = aggregate("krum", rows, n_byzantine=f)
        assert any(same_bits(answer, rows[i]) for i in set(range(n)) - set(byzantine.tolist()))


@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_a_median_lies_between_honest_values(n):
    random = np.random.default_rng(n)
    for f in range((n + 1) // 2):
        rows = random.standard_normal((n, 40)).astype(np.float32)
        honest = rows[f:].copy()
        rows[:f] = random.choice([-3e38, -1.0, 0.0, 1.0, 3e38], (f, 40))
        answer = aggregate("median", rows)
        assert ((honest.min(axis=0) <= answer) & (answer <= honest.max(axis=0))).all()


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_nothing_trimmed_is_the_mean(n):
    rows = np.random.default_rng(n).standard_normal((n, 9)).astype(np.float32)
    mean = aggregate("mean", rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(aggregate("trimmed-mean", rows), mean, rtol=1e-5, atol=1e-6)
    if n > 3:
        all_of_them = aggregate("multi-krum", rows, selected=n)
        np.testing.assert_allclose(all_of_them, mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", [[0.5], [0.5] * 4, [0.2, 0.9], [1.0] * 7])
def test_a_majority_vote_of_bad_workers_has_no_bound(p):
    assert mv_bound(p) == 1
    assert mv_bound([0.4, 0.4, 0.1]) < 1
