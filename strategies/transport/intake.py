"""Who may send, and what of it is fit for a rule."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from logging import getLogger

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid

from strategies.codecs import Codec
from strategies.federation import FederationError
from strategies.transport import wire
from strategies.transport.exchange import push, replies
from strategies.transport.roster import ClaimRefused, Roster

log = getLogger("signfed")

NODE_POLL = 0.25  # seconds between two looks for new nodes
MAX_EXCUSE = 500  # characters of a client's error text that are logged


@dataclass
class Received:
    """What one round brought in: valid rows by worker id, dropped workers by reason, bytes."""

    rows: dict[int, np.ndarray]
    dropped: Counter[str]
    uplink_bytes: int


class Intake:
    """The nodes of one run and the checks on their replies.

    Every worker whose node was asked ends up among the rows or in `dropped`, under one reason:
    no-reply, error, wrong-sender, malformed, wrong-round, foreign-worker, wrong-dtype,
    wrong-shape, missing-row, or a fault that the codec names.
    """

    def __init__(self, num_workers: int, codec: Codec, n_coordinates: int) -> None:
        self._codec = codec
        self._n_coordinates = n_coordinates
        self._roster = Roster(num_workers)
        self._logged: set[tuple[int, str]] = set()

    @property
    def nodes(self) -> list[int]:
        """The nodes that host workers."""
        return [node for node, _ in self._roster.items()]

    @property
    def hosted(self) -> list[tuple[int, ...]]:
        """The workers of each of them."""
        return [workers for _, workers in self._roster.items()]

    def gather(self, grid: Grid, timeout: float) -> None:
        """Ask every node once which partition it is, until each worker has a node.

        Raises FederationError when some have none after `timeout` seconds.
        """
        asked: set[int] = set()
        requests: dict[str, Message] = {}
        deadline = time.monotonic() + timeout
        while unclaimed := self._roster.unclaimed():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise FederationError(
                    f"waited {timeout:.0f} s for the nodes: workers {unclaimed} have none "
                    f"({len(asked)} nodes connected). Start the missing SuperNodes with "
                    "--node-config 'partition-id=P num-partitions=N', or lower num-workers"
                )
            new = [node for node in grid.get_node_ids() if node not in asked]
            asked.update(new)
            requests |= push(grid, [wire.hello(node, ttl=remaining) for node in new])
            if not requests:
                time.sleep(min(NODE_POLL, remaining))
            for request, reply in replies(grid, requests, min(NODE_POLL, remaining)):
                del requests[request.metadata.message_id]
                self._bind(request.metadata.dst_node_id, reply)

    def open(
        self, round: int, requests: dict[str, Message], incoming: Iterable[Message]
    ) -> Received:
        """Check the replies to `requests`; those to anything else, and second ones, are ignored."""
        workers_of = dict(self._roster.items())
        silent = {request.metadata.dst_node_id for request in requests.values()}
        received = Received({}, Counter(), 0)
        for reply in incoming:
            request = requests.get(reply.metadata.reply_to_message_id)
            node = request.metadata.dst_node_id if request else None
            if node not in silent:
                continue
            silent.discard(node)
            rows, faults = self._check(reply, node, workers_of[node], round)
            received.rows |= rows
            received.dropped += faults
            received.uplink_bytes += wire.size(reply, limit=self._plausible(workers_of[node]))
            for reason in faults:
                self._log_once(node, reason, _excuse(reply))
        for node in silent:
            received.dropped["no-reply"] += len(workers_of[node])
            self._log_once(node, "no-reply", "")
        return received

    def _check(
        self, reply: Message, node: int, workers: tuple[int, ...], round: int
    ) -> tuple[dict[int, np.ndarray], Counter[str]]:
        # Flower's own errors (node lost, message expired) come from the SuperLink, not the node.
        if not reply.has_error() and reply.metadata.src_node_id != node:
            return {}, Counter({"wrong-sender": len(workers)})
        return wire.open_reply(reply, workers, self._codec, self._n_coordinates, round)

    def _plausible(self, workers: tuple[int, ...]) -> int:
        """Twice the bytes of an honest reply for these workers, and something for the records."""
        row = self._codec.length(self._n_coordinates) * self._codec.dtype.itemsize
        return 2 * row * len(workers) + 65_536

    def _bind(self, node: int, reply: Message) -> None:
        try:
            workers = self._roster.claim(node, *wire.read_hello_reply(reply))
            log.info("node %d hosts workers %s", node, list(workers))
        except (wire.Malformed, ClaimRefused) as refusal:
            log.warning("node %d takes no part: %s", node, _excuse(reply) or refusal)

    def _log_once(self, node: int, reason: str, detail: str) -> None:
        if (node, reason) not in self._logged:
            self._logged.add((node, reason))
            log.warning("dropped updates of node %d: %s %s", node, reason, detail)


def _excuse(reply: Message) -> str:
    """What an error reply says, fit for a log: one line, printable, not endless."""
    said = (reply.error.reason or "")[:MAX_EXCUSE] if reply.has_error() else ""
    return "".join(c if c.isprintable() else " " for c in said)
