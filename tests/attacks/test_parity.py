"""Each attack beside its slow transcription, on random rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.attacks import Findings
from signfed.attacks.poisoned_fl import secret_signs
from tests.attacks import slow
from tests.attacks.inputs import crafted, past_of, randn

FEW = settings(max_examples=25)
SEEDS = st.integers(0, 2**20)
SHARES = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])


@st.composite
def rows(draw, n_min=2):
    """Whole numbers (with ties and zeros), or normal; of any scale."""
    random = np.random.default_rng(draw(SEEDS))
    shape = (draw(st.integers(n_min, 7)), draw(st.integers(1, 6)))
    if draw(st.booleans()):
        return random.integers(-3, 4, shape).astype(np.float32)
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    return (scale * (random.standard_normal(shape) + 0.5)).astype(np.float32)


def largest(honest):
    return float(np.abs(honest).max()) + 1e-30


def same(name, honest, expected, n_attackers=2, **options):
    own = randn(n_attackers, honest.shape[1], seed=4)
    sent = crafted(name, own, honest, **options)
    expected = np.broadcast_to(expected, sent.shape)
    assert sent == pytest.approx(expected, rel=2e-6, abs=2e-6 * largest(honest))


@FEW
@given(rows(), st.sampled_from([0.0, 0.3, 1.0, 2.5]))
def test_lie(honest, z):
    same("lie", honest, slow.lie(honest.tolist(), z), z=z)


@FEW
@given(rows(), st.integers(1, 5), st.sampled_from([0.3, 1.5]))
def test_byzmean(honest, m, z):
    sent = crafted("byzmean", randn(m, honest.shape[1]), honest, z=z)
    expected = np.array(slow.byzmean(honest.tolist(), m, z))
    assert sent == pytest.approx(expected, abs=2e-5 * largest(honest))


@settings(max_examples=40)
@given(rows(), st.sampled_from(["std", "unit", "sign"]), st.sampled_from(["min-max", "max", "min"]))
def test_min_max_and_min_sum(honest, perturbation, bound):
    """Rows that differ, around a mean that is not 0: there the slow one's search ends."""
    x = honest.astype(np.float64)
    if not np.ptp(x, axis=0).any() or not np.abs(x.mean(axis=0)).max() > 1e-6 * np.abs(x).max():
        return
    options = {"perturbation": perturbation}
    if bound == "min-max":
        expected = slow.bisect(x, perturbation, slow.min_max_holds)
        sent = crafted("min-max", honest[:1], honest, **options)[0]
    else:
        holds = lambda h, s: slow.min_sum_holds(h, s, bound=bound)  # noqa: E731
        expected = slow.bisect(x, perturbation, holds)
        sent = crafted("min-sum", honest[:1], honest, **options, bound=bound)[0]
    # gamma is the square root of a difference that rounding can lift from 0 to 1e-16.
    assert sent == pytest.approx(np.array(expected), abs=2e-6 * largest(x), rel=2e-6)


@FEW
@given(rows(n_min=1), st.sampled_from([0.1, 2.0]))
def test_ipm(honest, epsilon):
    same("ipm", honest, slow.ipm(honest.tolist(), epsilon), epsilon=epsilon)


@FEW
@given(rows(), st.sampled_from([0.5, 4.0]))
def test_one_coordinate(honest, shift):
    """Where two deviations are equal, rounding says which is the larger: it sends one or other."""
    x = honest.astype(np.float64)
    deviations = np.sort(x.std(axis=0))
    if len(deviations) < 2 or deviations[-1] > deviations[-2] * (1 + 1e-9):
        same("one-coordinate", honest, slow.one_coordinate(x.tolist(), shift), shift=shift)


@pytest.mark.parametrize("seed", range(10))
def test_mimic(seed):
    honest = randn(6, 12, seed=seed) * np.linspace(3, 1, 12, dtype=np.float32)
    same("mimic", honest, slow.mimic(honest.tolist()), target=-1)


@FEW
@given(rows(n_min=1))
def test_colluding_majority(own):
    expected = [slow.colluding_majority(own.tolist())] * len(own)
    assert np.array_equal(crafted("colluding-majority", own), expected)


@FEW
@given(rows(n_min=1), st.integers(1, 9), st.integers(0, 4), st.sampled_from([0.0, 0.3]), SEEDS)
def test_trusted_bloc(own, server_round, k, q, seed):
    options = {"server_round": server_round, "rounds": k, "flip": q, "period": seed % 3}
    sent = crafted("trusted-bloc", own, seed=seed, **options)
    later = () if server_round == 1 else (server_round,)
    draws = [
        np.random.default_rng([seed, i, *later]).random(own.shape[1]) < q for i in range(len(own))
    ]
    expected = slow.trusted_bloc(own.tolist(), server_round, k, draws, seed % 3)
    assert sent == pytest.approx(np.array(expected), rel=2e-6, abs=2e-6 * largest(own))


@FEW
@given(rows(n_min=1), st.integers(1, 9), st.sampled_from([0.3, 1.0, 2.0]))
def test_vem(own, n_honest, reach):
    sent = crafted("vem", own, n_total=len(own) + n_honest, reach=reach)
    expected = slow.vem(own.tolist(), len(own) + n_honest, reach)
    assert sent[0] == pytest.approx(np.array(expected), rel=2e-6, abs=2e-6 * largest(own))


@FEW
@given(SEEDS, st.sampled_from([0.5, 8.0]))
def test_poisoned_fl(seed, factor):
    past = past_of(9, last=randn(9, seed=seed))
    wanted = secret_signs(5, 9).tolist()
    expected = slow.poisoned_fl(
        past.direction.tolist(), past.memory["last"].tolist(), wanted, factor
    )
    sent = crafted("poisoned-fl", randn(2, 9), past=past, factor=factor)
    assert sent == pytest.approx(np.array([expected] * 2), rel=1e-5)


@FEW
@given(SEEDS, st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from([0.0, 90.0, 200.0, 270.0]), SHARES)
def test_rop(seed, size, angle, pi):
    honest, past = randn(4, 8, seed=seed), past_of(8)
    options = {"size": size, "angle": angle, "relocation": pi, "reference": 0.7}
    expected = slow.rop(honest.tolist(), past.direction.tolist(), size, angle, pi, 0.7)
    same("rop", honest, expected, past=past, **options)


@FEW
@given(rows(), SHARES, st.sampled_from([0.0, 2.0]))
def test_hybrid_sparse(honest, share, z):
    past = past_of(honest.shape[1])
    expected = slow.hybrid_sparse(honest.tolist(), past.model.tolist(), share, 1.5, z)
    same("hybrid-sparse", honest, expected, past=past, share=share, z=z)


@FEW
@given(rows(n_min=1), SHARES)
def test_vote_aware(honest, share):
    signs = np.where(honest < 0, -1.0, 1.0).astype(np.float32)
    for values in (signs, np.rint(honest)):
        same("vote-aware", values, slow.vote_aware(values.tolist(), share), share=share)


@FEW
@given(rows(n_min=1), SHARES, st.integers(1, 4))
def test_inversion_aware(honest, share, m):
    signs = np.where(honest < 0, -1.0, 1.0).astype(np.float32)
    for values in (signs, np.rint(honest)):
        expected = slow.inversion_aware(values.tolist(), m, share)
        same("inversion-aware", values, expected, n_attackers=m, share=share)


@FEW
@given(rows(n_min=1), SHARES, st.integers(1, 4), SEEDS)
def test_weight_aware(honest, share, m, seed):
    signs = np.where(honest < 0, -1.0, 1.0).astype(np.float32)
    p = np.random.default_rng(seed).random(m + len(signs)).tolist()
    expected = slow.weight_aware(signs.tolist(), p[m:], p[:m], share)
    findings = Findings(crossover=dict(enumerate(p)))
    same("weight-aware", signs, expected, n_attackers=m, findings=findings, share=share)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_filter_aware(seed, share):
    honest = randn(4 + seed, 10, seed=seed)
    same("filter-aware", honest, slow.filter_aware(honest.tolist(), share), share=share)
