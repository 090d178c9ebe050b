"""What a rule promises holds in somebody's app, or the app is told: before it runs, or at once."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord
from flwr.clientapp.mod import LocalDpMod
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideFixedClipping,
    DifferentialPrivacyServerSideFixedClipping,
)

from signfed import (
    CoordinateMedian,
    Krum,
    Mean,
    NearestNeighbourMixing,
    ProbitPlus,
    SignFD,
    SignGuard,
    SignMV,
    TrimmedMean,
)
from signfed.strategies.registry import STRATEGIES
from tests.strategies.server.drop_in.app import client, floats, grid, model, same, values

ONE = ArrayRecord({"w": Array(np.zeros(4, np.float32))})


def far(arrays, partition, server_round):
    """Node 0 goes where it likes, the others down by 1."""
    step = 1000.0 if partition == 0 else -1.0
    return {name: x + np.asarray(step, x.dtype) for name, x in arrays.items()}


def moved_to(strategy):
    return float(strategy.start(grid(7, client(far)), ONE, 1).arrays["w"].numpy()[0])


def said(caplog):
    return [r.getMessage() for r in caplog.records if "n_byzantine" in r.getMessage()]


MEANS = ["trimmed-mean", "mda", "bulyan", "dnc", "meamed", "monna", "cge", "caf", "smea"]


@pytest.mark.parametrize("name", MEANS)
def test_a_rule_that_is_told_of_no_byzantine_node_is_a_mean_and_says_so(name, caplog):
    assert moved_to(STRATEGIES[name]()) > 100
    [warning] = said(caplog)
    title = STRATEGIES[name].__name__
    assert warning.startswith(f"{title}: n_byzantine=0 counts on honest nodes alone")
    assert f"{title}(n_byzantine=1)" in warning
    caplog.clear()
    assert moved_to(STRATEGIES[name](n_byzantine=1)) == pytest.approx(-1.0)
    assert said(caplog) == []


def test_each_rule_in_a_row_is_told(caplog):
    mixing = NearestNeighbourMixing
    mixing(TrimmedMean(n_byzantine=1)).start(grid(7), floats(), 2)
    [warning] = said(caplog)
    assert warning.startswith("NearestNeighbourMixing: n_byzantine=0")
    caplog.clear()
    mixing(mixing(TrimmedMean()), n_byzantine=1).start(grid(7), floats(), 1)
    [warning] = said(caplog)
    assert warning.startswith("NearestNeighbourMixing, TrimmedMean: n_byzantine=0")


@pytest.mark.parametrize("rule", [Mean, CoordinateMedian, SignGuard, SignFD])
def test_who_needs_no_number_is_not_asked_for_one(rule, caplog):
    rule().start(grid(7), floats(), 1)
    TrimmedMean(encoder="sign").start(grid(7), floats(), 1)  # of signs, of which none is large
    assert said(caplog) == []


def test_whoever_calls_flowers_methods_is_warned_too(caplog):
    strategy, nodes = Krum(), grid(7)
    for server_round in (1, 2):
        strategy.configure_train(server_round, floats(), ConfigRecord(), nodes)
    assert [warning.split(":")[0] for warning in said(caplog)] == ["Krum"]
    assert caplog.records[0].levelno == logging.WARNING


def test_an_encoder_that_nodes_lack_is_refused_unless_another_is_named():
    """On floats the rule would be a plain mean, and one node moves a mean as far as it likes."""
    for rule in (ProbitPlus(), NearestNeighbourMixing(ProbitPlus(), n_byzantine=1)):
        with pytest.raises(ValueError, match=r"ProbitPlus\)? asks nodes for encoder='probit', "):
            rule.start(grid(7), floats(), 1)
    named = ProbitPlus(encoder="sign", server_learning_rate=1.0)
    assert moved_to(named) == pytest.approx(-5 / 7)


def noised(strategy, noise=1.0, wrapper=DifferentialPrivacyServerSideFixedClipping):
    return wrapper(strategy, noise_multiplier=noise, clipping_norm=1.0, num_sampled_clients=5)


WRAPPERS = [DifferentialPrivacyServerSideFixedClipping, DifferentialPrivacyClientSideFixedClipping]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("fraction_evaluate", [0.0, 1.0])
def test_a_wrapper_whose_noise_would_not_reach_the_nodes_is_refused(wrapper, fraction_evaluate):
    strategy = noised(Mean(fraction_evaluate=fraction_evaluate), wrapper=wrapper)
    with pytest.raises(ValueError, match="Mean: expected the model that aggregate_train returned"):
        strategy.start(grid(5), floats(), 2)


def test_a_wrapper_that_hands_the_model_on_is_taken():
    """The same values in new arrays; also where a round was skipped."""

    def silent(request, reply):
        return [] if request.content["config"]["server-round"] == 1 else [reply]

    for initial in (floats(), model()):
        nodes = grid(5, tamper=dict.fromkeys(range(3), silent))
        strategy = noised(Mean(fraction_evaluate=0.0), noise=0.0)
        strategy.clipping_norm = 1e6
        done = strategy.start(nodes, initial, 3, timeout=0.05)
        plain = Mean(fraction_evaluate=0.0).start(
            grid(5, tamper=dict.fromkeys(range(3), silent)), initial, 3, timeout=0.05
        )
        for name, x in values(plain.arrays).items():
            np.testing.assert_allclose(values(done.arrays)[name], x, rtol=1e-3, atol=1e-5)


def test_a_subclass_that_sends_another_model_is_heard_and_refused():
    class Sending(Mean):
        def configure_train(self, server_round, arrays, config, grid):
            return super().configure_train(server_round, floats(), config, grid)

    class Copying(Mean):
        def configure_train(self, server_round, arrays, config, grid):
            return super().configure_train(server_round, ArrayRecord(dict(arrays)), config, grid)

    with pytest.raises(ValueError, match="Sending: expected the model that aggregate_train ret"):
        Sending().start(grid(3), floats(), 2)
    copied = Copying().start(grid(3), floats(), 2)
    assert same(copied.arrays, Mean().start(grid(3), floats(), 2).arrays)


@pytest.mark.parametrize("rule", [Mean, CoordinateMedian, SignMV])
def test_noise_of_a_node_itself_is_part_of_its_update(rule):
    """Flower's mod of local differential privacy, which docs/faq.md names."""

    def run(mods):
        strategy = rule(fraction_evaluate=0.0)
        return strategy.start(grid(5, client(mods=mods)), floats(), 2).arrays

    mod = LocalDpMod(clipping_norm=0.5, sensitivity=1.0, epsilon=1.0, delta=1e-5)
    assert not same(run([mod]), run([]))
