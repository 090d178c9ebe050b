"""A Flower Grid in one process: nodes are function calls. No Ray, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

# Outside a Flower runtime a Message can be made only once these are set.
TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1

# (request, the app's own reply) -> the messages that arrive instead
Tamper = Callable[[Message, Message], list[Message]]


class InProcessGrid(Grid):
    """`num_nodes` nodes of one ClientApp. tamper: partition id -> what happens to its replies."""

    def __init__(
        self,
        client_app: ClientApp,
        num_nodes: int,
        run_config: Mapping[str, object] | None = None,
        tamper: Mapping[int, Tamper] | None = None,
    ) -> None:
        self._app = client_app
        self._run = Run.create_empty(1)
        self._tamper = {100 + partition: f for partition, f in (tamper or {}).items()}
        self._inbox: dict[str, list[Message]] = {}
        self._contexts = {
            100 + i: Context(
                1,
                100 + i,
                {"partition-id": i, "num-partitions": num_nodes},
                RecordDict(),
                dict(run_config or {}),
            )
            for i in range(num_nodes)
        }

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None):
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        ids = []
        for message in messages:
            message_id, node = uuid4().hex, message.metadata.dst_node_id
            message.metadata.__dict__["_message_id"] = message_id
            try:
                reply = self._app(message, self._contexts[node])
            except Exception as error:
                reply = Message(Error(2, repr(error)), reply_to=message)
            tamper = self._tamper.get(node)
            self._inbox[message_id] = tamper(message, reply) if tamper else [reply]
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        # Last node first: nothing may depend on the order of arrival.
        return [reply for i in reversed(list(message_ids)) for reply in self._inbox.pop(i, [])]

    def send_and_receive(self, messages, *, timeout=None):
        return self.pull_messages(self.push_messages(messages))
