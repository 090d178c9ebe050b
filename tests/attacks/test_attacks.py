"""What every attack does: the laws that all of them keep, and their teeth."""

import doctest

import numpy as np
import pytest
import torch

from signfed.attacks import (
    ATTACKS,
    Findings,
    KnowledgeError,
    View,
    attack,
    build,
    craft,
    knows,
)
from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean
from signfed.strategies.sign_mv import SignMV
from tests.attacks.inputs import LABELS, OWN, call, crafted, randn


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("none", {}, OWN),
        ("sign-inversion", {}, [[-1, 2, 0, 0.5], [3, -4, -5, 6]]),
        ("stochastic-sign-flip", {"probability": 0.0}, OWN),
        ("stochastic-sign-flip", {"probability": 1.0}, [[-1, 2, 0, 0.5], [3, -4, -5, 6]]),
    ],
)
def test_what_is_sent_by_hand(name, options, expected):
    sent = crafted(name, **options)
    assert sent.dtype == np.float32
    assert np.array_equal(sent, expected)


def test_inverting_twice_changes_nothing():
    own = randn(3, 50)
    once = crafted("sign-inversion", own)
    assert crafted("sign-inversion", once).tobytes() == own.tobytes()
    assert not np.array_equal(once, own)


@pytest.mark.parametrize("r", [0.1, 0.5, 0.8])
def test_signs_are_flipped_at_the_rate_r(r):
    """100,000 coins: 5 standard deviations are 0.008 at r = 1/2. Magnitudes stay."""
    own = randn(2, 50_000)
    sent = crafted("stochastic-sign-flip", own, probability=r)
    tolerance = 5 * (r * (1 - r) / own.size) ** 0.5
    assert np.mean(sent != own) == pytest.approx(r, abs=tolerance)
    assert np.array_equal(np.abs(sent), np.abs(own))


def test_a_flipped_worker_errs_with_p_plus_r_times_1_minus_2p():
    """Eq. 11: p = 0.2 and r = 0.3 make 0.38; 200,000 coins, 5 standard deviations."""
    random = np.random.default_rng(1)
    own = np.where(random.random((2, 100_000)) < 0.2, -1.0, 1.0).astype(np.float32)
    sent = crafted("stochastic-sign-flip", own, probability=0.3)
    assert np.mean(sent < 0) == pytest.approx(0.38, abs=5 * (0.38 * 0.62 / 200_000) ** 0.5)


@pytest.mark.parametrize("name", ["stochastic-sign-flip", "gaussian"])
def test_attackers_draw_independently(name):
    """Equal rows in, rows out that agree in half of the signs: 50,000 coins, 5 deviations."""
    sent = crafted(name, np.ones((2, 50_000), np.float32))
    assert np.mean((sent[0] > 0) == (sent[1] > 0)) == pytest.approx(0.5, abs=0.0112)


@pytest.mark.parametrize("std", [1.0, 0.5, 30.0])
def test_gaussian_noise_has_its_mean_and_deviation(std):
    """Over 200,000 draws: mean within 5 std / sqrt(n), deviation within 1 %."""
    sent = crafted("gaussian", np.ones((2, 100_000), np.float32), std=std)
    assert sent.mean() == pytest.approx(0.0, abs=5 * std / 200_000**0.5)
    assert sent.std() == pytest.approx(std, rel=0.01)
    assert np.mean(np.abs(sent) < std) == pytest.approx(0.6827, abs=0.01)  # a bell, not a box


def test_gaussian_noise_knows_nothing_of_the_gradient():
    assert crafted("gaussian", OWN).tobytes() == crafted("gaussian", 0 * OWN).tobytes()


# From here on: what must hold for every attack in the table, and for those still to come.

OMNISCIENT = [name for name in ATTACKS if knows(build(name).knowledge, "omniscient")]
PLAIN = [name for name in ATTACKS if name != "time-varying"]  # which has no function of its own


@pytest.mark.parametrize("name", ATTACKS)
def test_input_is_untouched(name):
    own, honest = OWN.copy(), randn(3, 4)
    if ATTACKS[name].stage == "data":
        own = LABELS.copy()
    before = own.copy()
    own.flags.writeable = honest.flags.writeable = False
    sent = crafted(name, own, n_classes=4) if own.dtype == int else call(name, honest, own)
    assert sent.shape == own.shape and sent.dtype == own.dtype
    assert own.tobytes() == before.tobytes() and honest.tobytes() == randn(3, 4).tobytes()


@pytest.mark.parametrize("name", ATTACKS)
def test_the_seed_fixes_what_is_sent(name):
    sent, again = (call(name, seed=3) for _ in range(2))
    assert sent.tobytes() == again.tobytes()


def needed(name):
    """What the attack declared to need besides its own rows."""
    chosen, known = ATTACKS[name], {}
    if knows(chosen.knowledge, "omniscient"):
        known["honest"] = randn(3, 4)
    if chosen.truth:
        known["truth"] = randn(4)
    if chosen.knowledge == "server":
        known |= {"findings": Findings(), "ids": (0, 1), "honest_ids": (2, 3, 4)}
    if chosen.stage == "data":
        known["n_classes"] = 4
    return known


def view_of(name, **known):
    own = LABELS if ATTACKS[name].stage == "data" else OWN
    return View(own, tuple(np.random.default_rng(i) for i in range(2)), 5, **known)


@pytest.mark.parametrize("name", PLAIN)
def test_what_was_declared_is_enough(name):
    sent = build(name)(view_of(name, **needed(name)))
    assert sent.shape == (2, 4)
    assert sent.dtype == (np.int64 if ATTACKS[name].stage == "data" else np.float32)


@pytest.mark.parametrize("name, field", [(name, field) for name in PLAIN for field in needed(name)])
def test_what_was_declared_is_needed_and_guarded(name, field):
    known = needed(name)
    del known[field]
    with pytest.raises(KnowledgeError, match=rf"view\.{field} is for attacks that declare"):
        build(name)(view_of(name, **known))


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n not in ("byzmean", "time-varying")])
def test_omniscient_attackers_send_the_same(name):
    sent = call(name, own=randn(3, 4))
    assert sent[0].tobytes() == sent[1].tobytes() == sent[2].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OMNISCIENT)
def test_an_honest_row_that_is_not_finite_counts_as_absent(name, bad):
    options = {"attacks": "byzmean"} if name == "time-varying" else {}
    honest = randn(4, 4, seed=3)
    broken = np.concatenate([honest, np.ones((1, 4), np.float32)])
    broken[4, 1] = bad
    assert call(name, broken, **options).tobytes() == call(name, honest, **options).tobytes()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_honest", [0, 1])
@pytest.mark.parametrize("name", OMNISCIENT)
def test_few_honest_rows_are_no_accident(name, n_honest):
    for n_attackers in (1, 2):
        sent = call(name, randn(n_honest, 4), OWN[:n_attackers])
        assert sent.shape == (n_attackers, 4) and np.isfinite(sent).all()


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n != "time-varying"])
def test_coordinates_are_treated_alike(name):
    """Renumbered in, renumbered out, up to the rounding of sums over coordinates."""
    own, honest = randn(2, 30, seed=1), 0.2 + randn(6, 30, seed=2)
    order = np.random.default_rng(0).permutation(30)
    renumbered = call(name, honest[:, order], own[:, order])
    assert renumbered == pytest.approx(call(name, honest, own)[:, order], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [n for n in OMNISCIENT if n not in ("time-varying", "mimic")])
def test_honest_workers_are_treated_alike(name):
    own, honest = randn(2, 30, seed=1), 0.2 + randn(6, 30, seed=2)
    assert call(name, honest[::-1], own) == pytest.approx(call(name, honest, own), abs=1e-5)


@pytest.mark.parametrize("name", ["stochastic-sign-flip", "gaussian"])
def test_another_seed_sends_something_else(name):
    own = randn(2, 50)
    rows = [craft(name, own, n_total=5, seed=seed) for seed in range(3)]
    assert len({row.tobytes() for row in rows}) == 3


@pytest.mark.parametrize("name", [n for n in ATTACKS if build(n).knowledge == "own"])
def test_who_knows_only_its_own_row_ignores_the_colluders(name):
    own = LABELS if ATTACKS[name].stage == "data" else OWN
    changed = own.copy()
    changed[0] = 1
    sent, other = (crafted(name, rows, n_classes=4) for rows in (own, changed))
    assert sent[1].tobytes() == other[1].tobytes()


@pytest.mark.parametrize("knowledge", ["own", "colluders", "omniscient", "server"])
def test_honest_rows_reach_only_who_declared_to_need_them(knowledge, monkeypatch):
    seen = []

    @attack(knowledge=knowledge, stage="gradient")
    def spy(view, *, factor=1.0):
        seen.append(view)
        return factor * view.own

    monkeypatch.setitem(ATTACKS, "spy", spy)
    honest = randn(3, 4)
    sent = craft("spy", OWN, honest, n_total=5, seed=0, factor=2.0)
    (view,) = seen
    assert np.array_equal(sent, 2 * OWN)
    allowed = {"own": (), "colluders": (), "omniscient": ("honest",)}
    fields = ("honest", "findings", "ids", "honest_ids")
    for field in (*fields, "truth", "n_classes"):
        if field in allowed.get(knowledge, fields):
            assert getattr(view, field) is not None
        else:
            with pytest.raises(KnowledgeError, match=rf"view\.{field} is for attacks that"):
                getattr(view, field)
    if knows(knowledge, "omniscient"):
        assert np.array_equal(view.honest, honest)
    if knowledge == "server":
        assert (view.findings, view.ids, view.honest_ids) == (Findings(), (0, 1), (2, 3, 4))
    assert view.n_total == 5 and len(view.generators) == 2


def test_missing_honest_rows_are_an_error(monkeypatch):
    @attack(knowledge="omniscient", stage="gradient")
    def greedy(view):
        return view.honest[: len(view.own)]

    monkeypatch.setitem(ATTACKS, "greedy", greedy)
    with pytest.raises(ValueError, match="'greedy' needs the honest rows"):
        craft("greedy", OWN, n_total=5, seed=0)


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("sign-inversoin", {}, "unknown attack 'sign-inversoin'; expected one of none, sign-inv"),
        ("stochastic-sign-flip", {"probability": 1.01}, r"in \[0, 1\]; got 1.01"),
        ("stochastic-sign-flip", {"probability": -0.01}, r"in \[0, 1\]; got -0.01"),
        ("stochastic-sign-flip", {"probability": float("nan")}, r"in \[0, 1\]; got nan"),
        ("gaussian", {"std": 0.0}, "above 0; got 0.0"),
        ("gaussian", {"std": -1.0}, "above 0; got -1.0"),
        ("gaussian", {"std": float("nan")}, "above 0; got nan"),
        ("gaussian", {"std": float("inf")}, "above 0; got inf"),
    ],
)
def test_impossible_arguments_are_refused(name, options, text):
    with pytest.raises(ValueError, match=text):
        crafted(name, **options)


@pytest.mark.parametrize("name", ATTACKS)
def test_without_attackers_nothing_is_crafted(name):
    assert call(name, randn(2, 4), OWN[:0]).shape == (0, 4)


def test_an_option_of_another_attack_is_refused():
    with pytest.raises(TypeError, match="std"):
        crafted("sign-inversion", std=1.0)


@pytest.mark.parametrize(
    "declared, text",
    [
        ({"knowledge": "all"}, "knowledge must be one of"),
        ({"stage": "bits"}, "stage must be one of"),
        ({"truth": True}, "truth=True needs knowledge 'omniscient' or 'server', got 'own'"),
        ({"stage": "data", "knowledge": "colluders"}, "'data' needs knowledge 'own', got 'coll"),
    ],
)
def test_an_attack_must_declare_what_exists_and_goes_together(declared, text):
    with pytest.raises(ValueError, match=text):
        attack(**{"knowledge": "own", "stage": "message"} | declared)


@pytest.mark.parametrize(
    "returned, found",
    [
        (None, "got NoneType"),
        (1.0, r"got float of shape \(\) and type float64"),
        (np.ones(4), r"got ndarray of shape \(4,\)"),
        (np.ones((2, 3)), r"got ndarray of shape \(2, 3\)"),
        (np.ones((1, 4)), r"got ndarray of shape \(1, 4\)"),
        (np.ones((2, 4), complex), "type complex128"),
        (np.ones((2, 4), bool), "type bool"),
        ([[1, 2, 3, 4], [1]], "got a list with rows of different lengths"),
        ("rows", "got str"),
    ],
)
def test_what_an_attack_returns_is_checked(returned, found):
    @attack(knowledge="own", stage="gradient")
    def mine(view):
        return returned

    expected = r"attack '.*:mine': expected an array of real numbers of shape \(2, 4\), .* " + found
    with pytest.raises(ValueError, match=expected):
        mine(View(OWN, (), 5))


@pytest.mark.parametrize(
    "rows", [OWN.astype(float), OWN.tolist(), np.full((2, 4), np.nan), 2 * OWN]
)
def test_any_matrix_of_real_numbers_is_sent_as_float32(rows):
    sent = attack(knowledge="own", stage="gradient")(lambda view: rows)(View(OWN, (), 5))
    assert sent.dtype == np.float32 and np.array_equal(sent, rows, equal_nan=True)


@pytest.mark.parametrize(
    "labels, text",
    [
        (LABELS + 1, "'mine:relabel': expected labels from 0 to 3, got labels from 1 to 4"),
        (LABELS - 1, "got labels from -1 to 2"),
        (LABELS / 2, "expected an array of whole numbers .* got ndarray .* float64"),
    ],
)
def test_labels_are_whole_numbers_below_the_number_of_classes(labels, text):
    def relabel(view):
        return labels

    relabel.__module__ = "mine"
    with pytest.raises(ValueError, match=text):
        attack(knowledge="own", stage="data")(relabel)(View(LABELS, (), 5, n_classes=4))


def test_lists_of_rows_are_arrays():
    as_lists = craft("lie", OWN.tolist(), randn(3, 4).tolist(), n_total=5, seed=0)
    assert as_lists.tobytes() == craft("lie", OWN, randn(3, 4), n_total=5, seed=0).tobytes()


@pytest.mark.parametrize(
    "own, honest, options, text",
    [
        ([1.0, 2.0], [[1.0, 2.0]], {}, r"own: .* got list of shape \(2,\)"),
        ([[1.0, 2.0], [1.0]], [[1.0, 2.0]], {}, "own: .* rows of different lengths"),
        ([["a", "b"]], [[1.0, 2.0]], {}, "own: .* type <U1"),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], {}, r"honest: .* 2 each as in own; got .* \(1, 3\)"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {"ids": (1, 2)}, "expected 1 and 1 different worker ids"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {"ids": (1,), "honest_ids": (1,)}, r"got \(1,\) and \(1,\)"),
    ],
)
def test_rows_that_do_not_fit_are_refused(own, honest, options, text):
    with pytest.raises(ValueError, match=text):
        craft("lie", own, honest, n_total=3, seed=0, **options)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_example_of_every_attack_is_true(name):
    function = ATTACKS[name].function
    globs = dict(function.__globals__)
    (example,) = doctest.DocTestFinder().find(function, name, globs=globs)
    done = doctest.DocTestRunner().run(example)
    assert done.attempted and not done.failed


# Teeth: an attack that hurts nobody would flatter every defence.


def direction(rule, honest, sent, signs):
    rows = torch.from_numpy(np.concatenate([sent, honest]))
    return rule.aggregate(Updates.from_matrix(rows, signs=signs)).numpy()


@pytest.mark.parametrize(
    "name, options, m",
    [
        ("gaussian", {"std": 100.0}, 1),
        ("random", {"std": 100.0}, 1),
        ("sign-inversion", {}, 6),
        ("sign-flip", {}, 6),
        ("reverse-scaling", {"factor": 100.0}, 1),
        ("lie", {"z": 50.0}, 4),
        ("byzmean", {"inner": "ipm", "epsilon": 1.0}, 1),
        ("ipm", {"epsilon": 5.0}, 3),
        ("directional", {"value": -20.0}, 1),
        ("sleeper", {"rounds": 0}, 6),
        ("time-varying", {"attacks": "sign-flip,ipm", "epsilon": 1.0}, 6),
    ],
)
def test_the_mean_breaks(name, options, m):
    """Gradients around 1: the mean points away from them in about half of the coordinates."""
    gradients = 1.0 + 0.1 * randn(11, 2000)
    own, honest = gradients[:m], gradients[m:]
    assert (direction(Mean(), honest, own, signs=False) > 0).all()
    broken = direction(Mean(), honest, crafted(name, own, honest, **options), signs=False)
    assert np.mean(broken < 0) > 0.45
    assert np.abs(broken - 1.0).mean() > 0.9


VOTERS = [
    "sign-inversion",
    "omniscient",
    "colluding-majority",
    "vote-aware",
    "weight-aware",
    "directional",
]


@pytest.mark.parametrize(
    "name, moved", [("stochastic-sign-flip", 0.5), *((name, 1.0) for name in VOTERS)]
)
def test_a_majority_vote_turns_where_its_margin_is_small(name, moved):
    """5 workers, 1 is Byzantine: 3 to 2 becomes 2 to 3 when its bit is flipped; 5 to 0 stays."""
    close, clear = 1000, 500
    honest = np.ones((4, close + clear), np.float32)
    honest[:2, :close] = -1.0
    own = np.ones((1, close + clear), np.float32)
    assert (direction(SignMV(), honest, own, signs=True) == 1.0).all()
    turned = direction(SignMV(), honest, crafted(name, own, honest), signs=True) < 0
    assert np.mean(turned[:close]) == pytest.approx(moved, abs=0.08)  # 5 deviations of 1000 coins
    assert not turned[close:].any()
