"""Five of ten nodes send each malformed reply in turn; the model is that of the honest five."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord

import signfed
from signfed import CoordinateMedian, Mean, SignMV
from signfed.strategies.core.codecs import SignCodec
from tests.strategies.server.drop_in.app import client, grid, same
from tests.strategies.server.hostile import arrays, values
from tests.strategies.server.hostile.catalogue import HONEST, VALID, usual
from tests.strategies.server.hostile.messages import REFUSED_BY_FLOWER
from tests.strategies.server.hostile.turn import Dialect, Turn, flower, hostile, silence

N = 36
INITIAL = ArrayRecord({"parameters": Array(np.linspace(-1, 1, N, dtype=np.float32))})
FLOATS = flower(N)
SIGNS = Dialect("arrays", "signfed.signs", "metrics", SignCodec(), N)
RULES = {"median": CoordinateMedian, "sign-mv": SignMV}

# What Flower's replies can hold and ours cannot, or what nobody reads in them.
ELSEWHERE = {
    "a reply of an old round": VALID,  # Flower's replies bear no number of a round
    "fortran order": VALID,  # the values of a vector are the same by columns
    "an extra config": HONEST,
    "record of arrays renamed": HONEST,  # the one record of arrays, whatever its name
    "record beside it renamed": HONEST,
    "a billion examples": HONEST,
    "1e308 examples": HONEST,
}
HOSTILE_ONLY = {
    "a model of ours: all of the signs": (
        lambda t: [t.says({**t.reply.content, "arrays": ArrayRecord(
            {"signfed.signs": Array(np.full(5, 255, np.uint8))})})], "malformed"),
    "a word that it holds a version": (
        lambda t: [t.says({"signfed": ConfigRecord({"held": 10**9})})], "malformed"),
    "a word that it holds no version": (
        lambda t: [t.says({"signfed": ConfigRecord({"held": "x"})})], "malformed"),
    "a word that it holds the next version": (
        lambda t: [t.says({**t.reply.content, "signfed": ConfigRecord({"version": 7})})], HONEST),
    "a million metrics": (
        lambda t: [t.says({**t.reply.content, "metrics": MetricRecord(
            {"num-examples": 1, **{f"m{i}": 1.0 for i in range(2000)}})})], "malformed"),
    "metrics that are not finite": (lambda t: [t.claims(train_loss=float("nan"))], HONEST),
    "metrics of another length": (lambda t: [t.claims(train_loss=[1.0, 2.0])], HONEST),
}  # fmt: skip


def faults():
    for name, entry in usual().items():
        yield name, entry.send, ELSEWHERE.get(name, entry.end)
    for name, (send, end) in {**HOSTILE_ONLY, **REFUSED_BY_FLOWER}.items():
        yield name, send, end


def test_the_documentation_says_what_becomes_of_each():
    """docs/hostile.md: | fault | of our own clients | of a drop-in | ..."""
    kinds = {HONEST: "not read", VALID: "received"}
    text = (Path(__file__).parents[4] / "docs/hostile.md").read_text(encoding="utf-8")
    for name, entry in usual().items():
        end = ELSEWHERE.get(name, entry.end)
        cell = re.escape(kinds.get(end, f"`{end}`"))
        assert re.search(rf"\| {re.escape(name)} \| [^|]+ \| {cell} \|", text), name


def wander(model, partition, server_round):
    """As many weights go up as down, so that five nodes more make another vote."""
    draws = np.random.default_rng([partition, server_round])
    return {n: x + draws.standard_normal(x.shape, np.float32) for n, x in model.items()}


def play(rule, fault, dialect=FLOATS, mods=None):
    """Five of ten nodes are hostile; not the first, in whose name some of them speak."""
    tamper = {p: hostile(dialect, lambda t: fault) for p in range(1, 6)}
    nodes = grid(10, client(wander, mods), tamper)
    return rule(fraction_evaluate=0.0).start(nodes, INITIAL, 1, timeout=0.01).arrays


@pytest.fixture(scope="module")
def known():
    """Of each rule the model without the five, and that of all ten."""
    return {name: (play(rule, silence), play(rule, None)) for name, rule in RULES.items()}


@pytest.mark.parametrize("rule", RULES)
def test_no_malformed_reply_ends_a_run_or_moves_its_model(rule, known):
    five, ten = known[rule]
    assert not same(five, ten)
    chosen = list(faults())
    for name, send, end in chosen if rule == "median" else chosen[::4]:  # the same checks
        found = play(RULES[rule], send)
        assert np.isfinite(found["parameters"].numpy()).all(), name
        if end == HONEST:
            assert same(found, ten), name
        elif end != VALID:
            assert same(found, five), name


def test_no_malformed_reply_of_packed_signs_does_either():
    def packed(fault):
        return play(SignMV, fault, SIGNS, [signfed.one_bit])

    five, ten = packed(silence), packed(None)
    assert same(ten, play(SignMV, None)) and not same(five, ten)
    some = dict(list(arrays.COMMON.items())[::2])
    for name, (send, end) in (some | values.SIGN).items():
        found = packed(send)
        if end == HONEST:
            assert same(found, ten), name
        elif end != VALID:
            assert same(found, five), name


def test_an_evaluation_reply_cannot_end_a_run_either(caplog):
    def bad(make):
        def tamper(request, reply):
            if request.metadata.message_type != "evaluate":
                return [reply]
            return make(Turn(request, reply, reply, flower(N)))

        return tamper

    replies = {
        "silence": silence,
        "no record": lambda t: [t.says({})],
        "arrays": lambda t: [t.says({"arrays": INITIAL})],
        "two": lambda t: [t.says({**t.reply.content, "more": MetricRecord({"num-examples": 1})})],
        "a list": lambda t: [t.claims(**{"num-examples": [1, 2]})],
        "NaN": lambda t: [t.claims(**{"num-examples": float("nan")})],
        "nobody": lambda t: [t.claims(**{"num-examples": 0})],
    }
    for name, make in replies.items():
        nodes = grid(5, client(wander), dict.fromkeys((0, 1), bad(make)))
        done = Mean().start(nodes, INITIAL, 1, timeout=0.02)
        assert set(done.evaluate_metrics_clientapp[1]) == {"sum"}, name
    assert "node 101 does not evaluate: malformed: expected one MetricRecord" in caplog.text
