"""Which nodes a round asks: Flower draws their ids from all 64 bits."""

from __future__ import annotations

import pytest

from signfed.strategies.server.nodes import NodeOptions
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
