"""A message that is delivered twice is answered once by a mod that remembers."""

from __future__ import annotations

import pytest

import signfed
from signfed import Mean, OneBit, SignMV
from signfed.clients.mods.byzantine import KEPT
from signfed.clients.mods.one_bit import MEMORY
from signfed.strategies.server.transport.plain import read_lacking
from tests.strategies.server.drop_in.app import client, floats, grid, moved, same


def run(strategy, mod, times):
    """A run whose messages come `times` times each; the last answer counts."""
    calls = []

    def train(arrays, partition, server_round):
        calls.append((partition, server_round))
        return moved(arrays, partition, server_round)

    app, nodes = client(train, [mod]), grid(4)

    def deliver(message, context):
        return [app(message, context) for _ in range(times)][-1]

    nodes._app = deliver
    done = strategy(fraction_evaluate=0.0).start(nodes, floats(), 4, timeout=0.05)
    return done.arrays, [context.state for context in nodes._contexts.values()], calls


@pytest.mark.parametrize(
    "strategy, mod, memory",
    [
        (SignMV, OneBit(feedback=True), MEMORY),
        (SignMV, OneBit(both=True, feedback=True), MEMORY),
        (Mean, signfed.byzantine("poisoned-fl", partitions={0, 2}), KEPT),
        (
            Mean,
            signfed.byzantine("time-varying", attacks="poisoned-fl", partitions={0}),
            KEPT,
        ),
    ],
    ids=["feedback", "feedback, both", "poisoned-fl", "a plan"],
)
def test_a_memory_advances_once_a_round(strategy, mod, memory):
    once, before, calls = run(strategy, mod, 1)
    twice, after, calls_twice = run(strategy, mod, 2)
    assert same(once, twice)
    remembering = [i for i, state in enumerate(before) if memory in state]
    assert remembering
    for i in remembering:
        assert same(before[i][memory], after[i][memory])
        # Nor is the client's own function called again.
        assert [c for c in calls if c[0] == i] == [c for c in calls_twice if c[0] == i]


def test_another_message_of_the_same_round_is_answered_anew():
    """A strategy of someone's may train twice in a round: these are two messages."""
    _, states, calls = run(SignMV, OneBit(feedback=True), 1)
    assert len(calls) == 16 and len({s[f"{MEMORY}-answered"]["messages"][-1] for s in states}) == 4


@pytest.mark.parametrize("both, forgets", [(False, False), (True, False), (True, True)])
def test_a_message_that_comes_again_after_a_later_one_changes_nothing(both, forgets):
    """Also one that the node could not follow: after its remedy it could."""
    mod = OneBit(both=both, feedback=True)
    usual, before, _ = run(SignMV, mod, 1)
    app, nodes, held, again = client(moved, [mod]), grid(4), {}, []

    def deliver(message, context):
        earlier = held.get(context.node_id)
        if forgets and earlier and message.content["config"]["server-round"] == 3:
            context.state.pop("signfed-model", None)  # and nothing else
        reply = app(message, context)
        if earlier:
            again.append(app(earlier, context))
        held[context.node_id] = message
        return reply

    nodes._app = deliver
    done = SignMV(fraction_evaluate=0.0).start(nodes, floats(), 4, timeout=0.05)
    assert same(done.arrays, usual)
    refused = sum(reply.has_error() for reply in again)
    assert refused >= 12 and (forgets or refused == len(again))  # else the kept answer
    for state, context in zip(before, nodes._contexts.values(), strict=True):
        assert same(state[MEMORY], context.state[MEMORY])


def test_a_node_that_could_not_follow_says_so_again():
    """The same message twice, without the model to follow it from: it is worked on, no error."""
    app, nodes, said = client(moved, [OneBit(both=True, feedback=True)]), grid(4), []

    def deliver(message, context):
        if message.content["config"]["server-round"] == 3:
            context.state.pop("signfed-model", None)
        reply = app(message, context)
        if (held := read_lacking(reply)) is not None:
            said.append((held, read_lacking(app(message, context))))
        return reply

    nodes._app = deliver
    SignMV(fraction_evaluate=0.0).start(nodes, floats(), 4, timeout=0.05)
    assert said[-4:] == [(-1, -1)] * 4
