"""Teeth: an attack that hurts nobody would flatter every defence."""

import numpy as np
import pytest
import torch

from signfed.attacks import Past
from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean
from signfed.strategies.sign_mv import SignMV
from tests.attacks.inputs import crafted, past_of, randn


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
        ("trusted-bloc", {"rounds": 0}, 6),
        ("vem", {"reach": 9.0}, 6),
        ("rop", {"size": 50.0, "past": past_of(2000)}, 1),
        ("hybrid-sparse", {"z": 50.0, "past": Past.first(np.ones(2000, np.float32))}, 4),
        (
            "poisoned-fl",
            {"factor": 50.0, "past": Past(np.ones(2000), np.ones(2000, np.float32))},
            1,
        ),
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


def test_inversion_aware_turns_a_rule_that_reads_opponents_inverted():
    """3 to 2 with the sixth read inverted: it opposes everywhere but where it decides."""
    close, clear = 100, 900
    honest = np.ones((5, close + clear), np.float32)
    honest[:2, :close] = -1.0
    own = np.ones((2, close + clear), np.float32)
    sent = crafted("inversion-aware", own, honest, share=1.0)
    read = honest.sum(axis=0) - sent.sum(axis=0)
    assert (read[:close] < 0).all() and (read[close:] > 0).all()


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
