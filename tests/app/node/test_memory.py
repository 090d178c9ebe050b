"""What a node keeps of its workers, as long as it is not started again."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict

from signfed.app.node.memory import recall, remember
from tests import grid  # noqa: F401 - a Message can be made

MOMENTUM = {3: {"momentum": np.ones(2, np.float32)}}


@pytest.mark.parametrize(
    "memories, first, said", [(MOMENTUM, 7, 1), (MOMENTUM, 1, 0), ({3: {}}, 7, 0)]
)
def test_a_node_that_starts_in_the_middle_says_once_that_it_remembers_nothing(
    caplog, memories, first, said
):
    context = Context(1, 5, {}, RecordDict(), {})
    reply = Message(RecordDict(), 5, "train")
    with caplog.at_level(logging.WARNING, "signfed"):
        for server_round in range(first, first + 3):
            remember(context, memories, reply, server_round)
    assert len(caplog.records) == said
    assert all(f"round {first}: " in r.message for r in caplog.records)
    assert recall(context, 3).keys() == memories[3].keys()
