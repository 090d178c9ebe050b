"""Replies whose objects are on their way, or never come, at Flower's Grid for real nodes."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedResponse, PullObjectResponse
from flwr.proto.runtime_pb2 import PullAppMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.run import Run
from flwr.superlink.grid import http_grid

import tests.grid  # noqa: F401 - outside Flower, messages can be made only with it
from signfed.strategies.server.transport.exchange import replies
from signfed.strategies.server.transport.objects import FIRST_LOOK, LONGEST, sooner

FLOWER = tuple(map(int, version("flwr").split(".")[:2]))


class SuperLink:
    """What a ServerApp asks its SuperLink of replies that were announced.

    late: node -> how often its objects are looked for in vain; None for always.
    """

    def __init__(self, late):
        self._late, self._announced, self._objects = late, [], {}
        self.looks = {}

    def reply_to(self, request):
        node = request.metadata.dst_node_id
        reply = Message(RecordDict({"said": ConfigRecord({"by": node})}), reply_to=request)
        reply.metadata.__dict__["_message_id"] = reply.object_id
        for name, held in get_all_nested_objects(reply).items():
            self._objects[name] = (node, held.deflate())
        self._announced.append((reply, get_object_tree(reply)))

    def PullMessages(self, request):
        held = {field.name: value for field, value in request.ListFields()}
        wanted = held["message_ids"] if "message_ids" in held else held["reply_to_message_ids"].vals
        found = [a for a in self._announced if a[0].metadata.reply_to_message_id in wanted]
        self._announced = [a for a in self._announced if a not in found]
        return PullAppMessagesResponse(
            messages_list=[message_to_proto(remove_content_from_message(m)) for m, _ in found],
            message_object_trees=[tree for _, tree in found],
        )

    def PullObject(self, request):
        node, content = self._objects[request.object_id]
        looks = self.looks[request.object_id] = self.looks.get(request.object_id, 0) + 1
        times = self._late.get(node, 0)
        there = times is not None and looks > times
        return PullObjectResponse(
            object_found=True, object_available=there, object_content=content if there else b""
        )

    def ConfirmMessageReceived(self, request):
        return ConfirmMessageReceivedResponse()

    def most_looks(self, node):
        return max(n for name, n in self.looks.items() if self._objects[name][0] == node)


def asked(late, nodes=(7, 8, 9)):
    """A Grid, and requests whose replies were announced."""
    grid = http_grid.HttpGrid(token="a token")
    grid.set_run(Run.create_empty(1))
    grid._client = link = SuperLink(late)
    requests = [Message(RecordDict(), node, "train") for node in nodes]
    for request in requests:
        request.metadata.__dict__["_message_id"] = request.object_id
        link.reply_to(request)
    return grid, {request.metadata.message_id: request for request in requests}


def answers(grid, pending, timeout):
    found = {q.metadata.dst_node_id: r for q, r in replies(grid, pending, timeout)}
    return {node: None if r.has_error() else r.content["said"]["by"] for node, r in found.items()}


def test_a_reply_that_is_announced_and_never_sent_costs_its_node_its_own_row():
    """Two of them, the first and the last: their time is the round's, and not each one's."""
    grid, pending = asked({7: None, 9: None})
    found = answers(grid, pending, 0.5)
    left_out = {request.metadata.dst_node_id for request in pending.values()}
    assert found | dict.fromkeys(left_out) == {7: None, 8: 8, 9: None}
    assert left_out == (set() if FLOWER < (1, 43) else {7, 9})
    # The first was looked for until the time was up, the last once.
    assert grid._client.most_looks(7) > grid._client.most_looks(9) == 1


@pytest.mark.parametrize("what", ["garbage", "no message"])
def test_a_reply_that_cannot_be_unpacked_takes_no_other_along(what):
    """The SuperLink hands over what it has once: who raises for one reply loses all of them."""
    grid, pending = asked({})
    link = grid._client
    for name, (node, content) in link._objects.items():
        head, _, body = content.partition(b"\x00")
        if node == 7 and what == "garbage" and head.startswith(b"ConfigRecord"):
            link._objects[name] = node, head + b"\x00" + b"\xff" * len(body)
        if node == 7 and what == "no message" and head.startswith(b"Message"):
            link._objects[name] = node, RecordDict().deflate()
    assert answers(grid, pending, 0.5) == {8: 8, 9: 9}
    assert [request.metadata.dst_node_id for request in pending.values()] == [7]


def test_a_reply_on_its_way_is_there_soon(monkeypatch):
    """At the fifth look: after 15 s by Flower's pauses, after 1.3 s at most by ours."""
    usual, pauses = http_grid.pull_objects, []

    def watched(*arguments, initial_backoff, backoff_cap, **given):
        pauses.append((initial_backoff, backoff_cap))
        given |= {"initial_backoff": initial_backoff, "backoff_cap": backoff_cap}
        return usual(*arguments, **given)

    monkeypatch.setattr(http_grid, "pull_objects", watched)
    grid, pending = asked({7: 4})
    assert answers(grid, pending, 600) == {7: 7, 8: 8, 9: 9}
    assert sorted(set(grid._client.looks.values())) == [1, 5]
    assert pauses == [(FIRST_LOOK, LONGEST)] * 3


def test_flowers_own_function_is_put_back():
    usual = http_grid.pull_objects
    grid, pending = asked({})
    assert answers(grid, pending, 600) == {7: 7, 8: 8, 9: 9}
    assert http_grid.pull_objects is usual


def test_pauses_and_what_is_left_of_the_time_are_handed_over():
    given = []
    fetch = sooner(lambda *a, **k: given.append((a, k)), seconds=100)
    fetch(["an object"], pull_object_fn=len)
    [(arguments, options)] = given
    assert arguments == (["an object"],) and options["pull_object_fn"] is len
    assert options["backoff_cap"] == LONGEST and 99 < options["max_time"] <= 100
    given.clear()
    sooner(lambda *a, **k: given.append(k))()
    assert "max_time" not in given[0]  # Flower's two hours
