"""Which nodes a round asks: Flower draws their ids from all 64 bits."""

from __future__ import annotations

import pytest

from signfed.strategies.server.nodes import NodeOptions
from signfed.strategies.server.transport import sampling
from signfed.strategies.server.transport.sampling import Nodes

IDS = [5, 2**62 + 1, 2**63 + 1, 2**63 + 3, 2**64 - 1]


class Connected:
    def get_node_ids(self):
        return IDS


@pytest.mark.parametrize("server_round", range(1, 5))
def test_a_share_of_nodes_with_large_ids(server_round):
    nodes = Nodes(NodeOptions(fraction_train=0.6, fraction_evaluate=0.4))
    nodes.gather(Connected(), {})
    asked = list(nodes.asked(server_round))
    evaluators = nodes.evaluators(server_round)
    assert (len(asked), len(evaluators)) == (3, 2)
    assert {*asked, *evaluators} <= set(IDS)
    assert all(type(node) is int for node in asked + evaluators)
    assert asked == sorted(asked)


class Coming:
    """A grid of whoever is there."""

    def __init__(self):
        self.there = []

    def get_node_ids(self):
        return list(self.there)


def asked(nodes, grid, server_round, there):
    """The numbers of a round's workers, and of those that are forgotten in it."""
    grid.there = there
    nodes.wait(grid, server_round, 0.0)
    hosts = nodes.asked(server_round)
    return [worker for ids in hosts.values() for worker in ids], nodes.forget()


ROUNDS = [  # nodes that are there; their numbers, and who is forgotten, when one is remembered
    ([10, 20, 30], [0, 1, 2], []),
    ([10, 20], [0, 1], []),
    ([20], [1], [2]),  # 30 was there two rounds ago, 10 in the last
    ([20, 30], [1, 3], []),  # who comes back is new, and no number is given twice
    ([10, 40], [0, 4], [1]),  # both were there last round: the older number goes
]


@pytest.mark.parametrize("stop", range(len(ROUNDS)))
def test_of_nodes_that_are_away_the_last_are_remembered(monkeypatch, stop):
    """A run that is resumed after any round forgets the same ones, and gives the same numbers."""
    monkeypatch.setattr(sampling, "REMEMBERED", 1)
    grid = Coming()
    grid.there = [10]
    nodes = Nodes(NodeOptions(min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=1))
    nodes.gather(grid, {})
    for server_round, (there, numbers, gone) in enumerate(ROUNDS, 1):
        if server_round == stop + 1:
            state, nodes = nodes.state_dict(), Nodes(nodes._options)
            nodes.gather(grid, state)
        assert asked(nodes, grid, server_round, there) == (numbers, gone)


def test_a_thousand_new_nodes_a_round_leave_as_many_behind():
    grid = Coming()
    grid.there = [1]
    nodes = Nodes(NodeOptions(min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=1))
    nodes.gather(grid, {})
    for server_round in range(1, 5):
        first = 1000 * server_round
        numbers, gone = asked(nodes, grid, server_round, range(first, first + 1000))
        assert numbers == list(range(first - 1000, first))
        assert gone == [n - 2000 for n in numbers if server_round > 2]
    state = nodes.state_dict()
    assert len(nodes.numbers) == len(state["nodes"]) == 2000 and state["next"] == 4000


def test_with_a_roster_nobody_is_forgotten(monkeypatch):
    monkeypatch.setattr(sampling, "REMEMBERED", 0)
    options = NodeOptions(min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=1)
    there = {10: (2, 5), 20: (0, 5)}
    nodes = Nodes(options, lambda grid: dict(there))
    nodes.gather(Connected(), {})
    assert asked(nodes, Coming(), 1, []) == ([2, 0], [])
    del there[10]
    assert asked(nodes, Coming(), 2, []) == ([0], [])
    there[10] = (2, 5)
    assert asked(nodes, Coming(), 3, []) == ([2, 0], [])
