"""Every attack on rows: on tensors it makes of the same rows what it makes on arrays, and waits for
no value of theirs."""

from functools import partial
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import torch

from signfed.attacks import ATTACKS, Findings, Past, attack, build
from signfed.attacks.core.arrays import known_finite, zeros
from signfed.attacks.core.seeing import view_of
from signfed.strategies.core.options import Range, options_of
from tests.attacks.inputs import randn
from tests.strategies.places import Waits, counted

ON_ROWS = [name for name, each in ATTACKS.items() if each.stage != "data"]
N, BYZANTINE, HONEST = 40, (1, 4, 5), (0, 2, 3, 6, 7, 8)
OWN, PEERS = randn(len(BYZANTINE), N, seed=3), randn(len(HONEST), N, seed=4)
OWN[:, 5] = PEERS[:, 5] = 0.0  # a dead unit
MODEL, DIRECTION = randn(2, N, seed=31)
OPTIONS = {
    "time-varying": {"attacks": "lie"},
    "sleeper": {"rounds": 2},
    "trusted-bloc": {"rounds": 2, "flip": 0.2},
    "opt-alie": {"evaluations": 4},
    "opt-ipm": {"evaluations": 4},
}
VARIANTS = [
    *((name, OPTIONS.get(name, {})) for name in ON_ROWS),
    *(("min-max", {"perturbation": p}) for p in ("unit", "sign")),
    ("min-sum", {"bound": "min"}),
    ("byzmean", {"inner": "ipm"}),
    ("mimic", {"target": -1}),
    ("filter-aware", {"share": 0.4}),
    ("inversion-aware", {"share": 1.0}),
    ("hybrid-sparse", {"share": 0.3, "z_max": True}),
    ("vote-aware", {"below": 4}),
]


def worth_trying(option):
    """Every value of a choice, of a Literal and of a truth value; both ends of a range."""
    kind, *_ = get_args(option.annotation) or (option.annotation,)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if kind is bool:
        return (False, True)
    search = option.search
    return (
        (search.low, search.high) if isinstance(search, Range) else search.values if search else ()
    )


ALONE = [  # one option away from the default at a time
    (name, OPTIONS.get(name, {}) | {option.name: kind(value)})
    for name in ON_ROWS
    for option in options_of(ATTACKS[name].function, name)
    for value in worth_trying(option)
    for kind in [type(option.default)]
    if value != option.default
]
# These ask for a value by what they are: how far the rule gives way, who is the most extreme, and
# now and then whether the model follows.
ASK = {"opt-alie", "opt-ipm", "mimic -1"}


def made(name, options, place, *, finite=True, server_round=3):
    """What the attack makes of the rows at a place, and its memory afterwards."""
    chosen, active = build(name, **options).at(server_round, 0, BYZANTINE)
    own, peers = (place(np.array(rows)) for rows in (OWN, PEERS))
    if not finite:
        peers[2, 7] = np.nan
    past = Past(place(MODEL), place(DIRECTION), {"last": place(DIRECTION / 2)}, secret=5)
    rows = dict(zip((*BYZANTINE, *HONEST), (*own, *peers), strict=True))

    def rehearse(honest, sent):
        values = [*honest.values(), *sent.values()]
        return sum(values) / len(values)

    view = view_of(
        chosen, active, rows.__getitem__, lambda worker: np.random.default_rng([0, worker]),
        asked=sorted(rows), n_total=len(rows), server_round=server_round,
        truth=lambda: place(PEERS.mean(axis=0)), past=past, rehearse=rehearse,
        findings=Findings(crossover={w: 0.1 + 0.05 * w for w in range(9)}), n_classes=None,
    )  # fmt: skip
    if finite and not isinstance(view.own, np.ndarray):
        view.own = known_finite(view.own)
        if chosen.knowledge in ("omniscient", "server"):
            known_finite(view.honest)
    return chosen, view, past


def agree(found, expected):
    found = np.asarray(found)
    scale = float(np.abs(expected[np.isfinite(expected)]).max(initial=1e-30))
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * scale)
    assert np.array_equal(found >= 0, expected >= 0)  # as a sign channel would send them


@pytest.mark.parametrize("finite", [True, False], ids=["finite", "nan"])
@pytest.mark.parametrize("name, options", VARIANTS + ALONE)
def test_tensors_are_attacked_as_arrays_are(name, options, finite):
    chosen, view, past = made(name, options, np.array, finite=finite)
    expected = chosen(view)
    again, seen, kept = made(name, options, torch.tensor, finite=finite)
    found = again(seen)
    assert isinstance(found, torch.Tensor)
    agree(found, expected)
    assert kept.memory.keys() == past.memory.keys()
    for key, value in past.memory.items():
        agree(kept.memory[key], np.asarray(value))


@pytest.mark.parametrize("name, options", VARIANTS)
def test_an_attack_on_tensors_waits_for_no_value(name, options):
    chosen, view, _ = made(name, options, partial(counted, kind=torch.tensor))
    with Waits() as waits:
        sent = chosen(view)
    assert sent.shape == view.own.shape
    label = f"{name} {options['target']}" if "target" in options else name
    assert (waits.found == []) == (label not in ASK), waits.found


@pytest.mark.parametrize("name", [n for n in ON_ROWS if build(n).knowledge == "own"])
def test_each_row_is_made_of_its_worker_s_own_alone(name):
    """So all of them may be made in one call, which on a GPU takes as long as one."""
    chosen, view, _ = made(name, OPTIONS.get(name, {}), np.array)
    together = chosen(view)
    for i in range(len(together)):
        chosen, view, _ = made(name, OPTIONS.get(name, {}), np.array)
        view.own, view.generators = view.own[i : i + 1], view.generators[i : i + 1]
        assert chosen(view).tobytes() == together[i : i + 1].tobytes()


def test_all_of_ours_take_tensors_and_a_user_s_says_so():
    assert all(build(name, **OPTIONS.get(name, {})).tensors for name in ON_ROWS[:-1])
    assert all(not ATTACKS[name].tensors for name in set(ATTACKS) - set(ON_ROWS))

    @attack(knowledge="own", stage="gradient")
    def mine(view):
        return view.own

    assert not mine.tensors
    assert not build("byzmean").bind(inner=(mine,)).tensors


def test_an_attack_that_returns_an_array_for_tensors_is_told():
    @attack(knowledge="own", stage="gradient", tensors=True)
    def wrong(view):
        return np.zeros((2, 2))

    _, view, _ = made("none", {}, torch.tensor)
    with pytest.raises(ValueError, match=r"expected a tensor .* \(3, 40\).*; got ndarray of shape"):
        wrong(view)


def test_zeros_lie_where_the_rows_do():
    assert zeros(2, np.ones(1), np.float64).tolist() == [0.0, 0.0]
    assert zeros((1, 2), torch.ones(1), torch.bool).tolist() == [[False, False]]
