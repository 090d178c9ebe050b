"""ByzFL 0.0.11, a peer's library, on the same rows: where it agrees, where it means another rule.

It computes in float64 here, we in float32; the rows are of order 1.
"""

import importlib
import importlib.util
import inspect
import sys
from itertools import combinations
from types import ModuleType

import numpy as np
import pytest
import torch

from signfed.strategies.centered_clipping import CenteredClipping
from signfed.strategies.core.seeds import generator
from signfed.strategies.mda import MDA
from signfed.strategies.meamed import mean_nearest_median
from signfed.strategies.registry import aggregate
from tests.strategies.runs import play
from tests.strategies.slow import float_rules as slow


def load_byzfl():
    """Its two modules of rules, without its __init__, which imports plots and data sets (4 s)."""
    spec = importlib.util.find_spec("byzfl")
    if spec is None:
        pytest.skip("byzfl is not installed", allow_module_level=True)
    package = ModuleType("byzfl")
    package.__path__ = spec.submodule_search_locations
    sys.modules["byzfl"] = package
    names = ("byzfl.aggregators.aggregators", "byzfl.aggregators.preaggregators")
    found = [importlib.import_module(name) for name in names]
    for name in [name for name in sys.modules if name.partition(".")[0] == "byzfl"]:
        del sys.modules[name]  # whoever imports it next gets all of it
    return found


theirs, mixers = load_byzfl()
N_F = [(5, 1), (7, 2), (10, 2), (11, 4), (15, 3)]
sizes = pytest.mark.parametrize("n, f", N_F)
seeds = pytest.mark.parametrize("seed", range(3))


def rows(n, f, seed):
    """n rows around a common direction, f of them far off in a direction of their own."""
    random = np.random.default_rng([n, f, seed])
    matrix = random.standard_normal(9) + random.uniform(0.3, 1.5, (n, 1)) * random.standard_normal(
        (n, 9)
    )
    matrix[random.permutation(n)[:f]] += 3 * random.standard_normal(9)
    return matrix.astype(np.float32).astype(np.float64)


def agree(ours, other):
    np.testing.assert_allclose(ours, other, rtol=1e-5, atol=1e-5)


# our rule and the options that make it theirs -> theirs; as (n, f) ask for it
ALIKE = {
    "mean": lambda n, f: ({}, theirs.Average()),
    "median": lambda n, f: ({}, theirs.Median()),
    "trimmed-mean": lambda n, f: ({"n_byzantine": f}, theirs.TrMean(f)),
    # Krum sums n - f - 1 neighbours there, and is content with n > 2f.
    "krum": lambda n, f: (
        {"n_byzantine": f, "neighbours": n - f - 1, "strict": False}, theirs.Krum(f),
    ),
    # Multi-Krum averages n - f rows.
    "multi-krum": lambda n, f: (
        {"n_byzantine": f, "neighbours": n - f - 1, "selected": n - f, "strict": False},
        theirs.MultiKrum(f),
    ),
    # nu = 0.1 and 3 steps from 0 by default; the limit is the same.
    "geometric-median": lambda n, f: (
        {"tolerance": 0.0, "max_iterations": 3000}, theirs.GeometricMedian(nu=1e-6, T=3000),
    ),
    # One step with radius 100 by default.
    "centered-clipping": lambda n, f: (
        {"radius": 1.5, "iterations": 4}, theirs.CenteredClipping(tau=1.5, L=4),
    ),
    "meamed": lambda n, f: ({"n_byzantine": f}, theirs.Meamed(f)),
    # Row 0 is trusted by default.
    "monna": lambda n, f: ({"n_byzantine": f, "trusted": str(n - 1)}, theirs.MoNNA(f, n - 1)),
}  # fmt: skip


@seeds
@sizes
@pytest.mark.parametrize("name", ALIKE)
def test_the_same_answer(name, n, f, seed):
    matrix = rows(n, f, seed)
    options, other = ALIKE[name](n, f)
    ours = aggregate(name, matrix, **options)
    agree(ours, other(matrix.copy()))
    agree(aggregate(name, torch.from_numpy(matrix), **options), ours)


def differing(name, options, other, n=11, f=3):
    """In how many of 200 draws the two answers differ."""
    draws = [rows(n, f, seed) for seed in range(200)]
    return sum(np.abs(aggregate(name, x, **options) - other(x.copy())).max() > 1e-3 for x in draws)


def test_their_krum_has_a_neighbour_more():
    assert 0 < differing("krum", {"n_byzantine": 3}, theirs.Krum(3)) < 100
    theirs_by_option = {"n_byzantine": 3, "neighbours": 11 - 3 - 1}
    assert differing("krum", theirs_by_option, theirs.Krum(3)) == 0


def test_their_multi_krum_averages_two_rows_more():
    assert differing("multi-krum", {"n_byzantine": 3}, theirs.MultiKrum(3)) == 200


def test_their_geometric_median_stops_early():
    """Three steps from 0 are not yet there; ours starts inside the rows and goes to the end."""
    assert differing("geometric-median", {}, theirs.GeometricMedian()) == 200


@pytest.mark.parametrize("nu", [0.1, 0.5])
def test_the_same_smoothing(nu):
    """Around a row that most others are close to, their nu and our eps are one number."""
    random = np.random.default_rng(5)
    matrix = random.standard_normal((9, 6))
    matrix[:4] = matrix[0] + 0.02 * random.standard_normal((4, 6))
    options = {"tolerance": 0.0, "max_iterations": 3000}
    smooth = aggregate("geometric-median", matrix, eps=nu, **options)
    agree(smooth, theirs.GeometricMedian(nu=nu, T=3000)(matrix))
    assert np.abs(smooth - aggregate("geometric-median", matrix, **options)).max() > 1e-4


def test_the_same_centre_from_round_to_round():
    ours, other = CenteredClipping(radius=1.0, iterations=2), theirs.CenteredClipping(tau=1.0, L=2)
    for seed in range(6):
        matrix = rows(9, 2, seed)
        ((direction, _),) = play(ours, [dict(enumerate(matrix.astype(np.float32)))])
        agree(direction, other(matrix))


@seeds
@sizes
@pytest.mark.parametrize("name", ["mean", "trimmed-mean", "geometric-median"])
def test_the_same_nearest_neighbour_mixing(name, n, f, seed):
    matrix = rows(n, f, seed)
    options, other = ALIKE[name](n, f)
    ours = aggregate(name, matrix, pre_aggregation="nnm", **({"n_byzantine": f} | options))
    agree(ours, other(mixers.NNM(f)(matrix)))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["median", "centered-clipping"])
def test_the_same_buckets(name, size, monkeypatch):
    """Given our order of the rows: theirs comes from NumPy's global generator."""
    order = generator(7, "bucketing", 1).permutation(11)
    monkeypatch.setattr(np.random, "permutation", lambda vectors: vectors[order])
    matrix = rows(11, 2, seed=size)
    options, other = ALIKE[name](11, 2)
    mixing = {"pre_aggregation": "bucketing", "pre_aggregation_options": {"size": size}, "seed": 7}
    agree(aggregate(name, matrix, **mixing, **options), other(mixers.Bucketing(size)(matrix)))


MIXERS = {
    "clipping": lambda f: mixers.Clipping(2.0),
    "arc": lambda f: mixers.ARC(f),
    "nnm": lambda f: mixers.NNM(f),
}


@seeds
@sizes
@pytest.mark.parametrize("mixing", ["clipping", "arc", "clipping,nnm", "nnm,clipping", "arc,nnm"])
def test_the_same_before_a_rule(mixing, n, f, seed):
    matrix = rows(n, f, seed)
    options = {"threshold": 2.0} if "clipping" in mixing else {}
    ours = aggregate(
        "trimmed-mean", matrix, n_byzantine=f, pre_aggregation=mixing,
        pre_aggregation_options=options,
    )  # fmt: skip
    for name in mixing.split(","):
        matrix = MIXERS[name](f)(matrix)
    agree(ours, theirs.TrMean(f)(matrix))


def test_the_same_least_diameter():
    """Where several subsets have it, theirs is the first, ours the one with the lowest scores."""
    ties = 0
    for n, f in [(5, 1), (7, 2), (10, 2), (9, 4)]:
        for seed in range(25):
            matrix = rows(n, f, seed)
            rule = MDA(n_byzantine=f)
            alike = np.abs(rule(matrix) - theirs.MDA(f)(matrix)).max() < 1e-5
            distances = np.linalg.norm(matrix[:, None] - matrix, axis=2)
            diameters = [
                distances[np.ix_(some, some)].max() for some in combinations(range(n), n - f)
            ]
            accepted = rule.diagnostics()["accepted"]
            assert distances[np.ix_(accepted, accepted)].max() == min(diameters)
            assert alike or diameters.count(min(diameters)) > 1
            ties += not alike
    assert ties < 5


@seeds
@pytest.mark.parametrize("n, f", N_F[:-1])
def test_the_same_spectral_rules_on_a_line(n, f, seed):
    """There one step of the power method is exact."""
    column = rows(n, f, seed)[:, :1]
    agree(aggregate("smea", column, n_byzantine=f), theirs.SMEA(f)(column))
    agree(slow.caf(column, f, byzfl=True), theirs.CAF(f)(column))


def test_their_caf_goes_on_counting_rows_that_have_no_weight_left():
    """So a row at a distance d makes it take some d^2 steps; ours takes n at most."""
    column = np.append(np.linspace(-1, 1, 9), [30.0, -27.0])[:, None]
    ours, other = aggregate("caf", column, n_byzantine=2), theirs.CAF(2)(column)
    agree(slow.caf(column, 2, byzfl=True), other)
    agree(ours, slow.caf(column, 2))
    assert abs(ours - other) > 5e-5
    column[9:] *= 1e30
    assert abs(aggregate("caf", column, n_byzantine=2)) < 1e-6


@pytest.mark.parametrize("name, other", [("caf", theirs.CAF), ("smea", theirs.SMEA)])
def test_their_spectral_rules_answer_by_chance(name, other, monkeypatch):
    """Elsewhere a step's length depends on its start, and they compare such lengths."""
    draws = np.random.default_rng(0)
    monkeypatch.setattr(np.random, "randn", draws.standard_normal)
    matrix = rows(10, 2, 0)
    answers = {other(2)(matrix).round(3).tobytes() for _ in range(20)}
    assert len(answers) > 5
    assert np.array_equal(*(aggregate(name, matrix, n_byzantine=2) for _ in range(2)))


@seeds
@sizes
def test_bulyans_last_step_is_their_mean_around_the_median(n, f, seed):
    """With n - f values, of all rows, it is their Meamed."""
    matrix = rows(n, f, seed)
    ours = mean_nearest_median(torch.from_numpy(matrix).to(torch.float32), n - f)
    agree(ours, theirs.Meamed(f)(matrix))


def test_all_of_their_rules_were_looked_at():
    found = {
        name
        for module in (theirs, mixers)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__
    }
    compared = {type(build(5, 1)[1]).__name__ for build in ALIKE.values()}
    assert found == compared | {"MDA", "CAF", "SMEA", "NNM", "Bucketing", "Clipping", "ARC"}
