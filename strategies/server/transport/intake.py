"""What of the replies is fit for a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from logging import getLogger

import numpy as np
from flwr.app import Message

from signfed.strategies.core.codecs import Codec
from signfed.strategies.server.transport import wire

log = getLogger("signfed")


@dataclass
class Received:
    """What one round brought in: valid rows by worker id, dropped workers by reason, bytes."""

    rows: dict[int, np.ndarray]
    dropped: Counter[str]
    uplink_bytes: int


class Intake:
    """The checks on the replies of one run.

    Every worker that was asked ends up among the rows or in `dropped`, under one reason: no-reply,
    error, wrong-sender, malformed, wrong-round, foreign-worker, wrong-dtype, wrong-shape,
    missing-row, or a fault that the codec names.
    """

    def __init__(self, codec: Codec, n_coordinates: int) -> None:
        self._codec = codec
        self._n_coordinates = n_coordinates
        self._logged: set[tuple[int, str]] = set()

    def open(
        self,
        server_round: int,
        asked: Mapping[int, tuple[int, ...]],
        requests: Mapping[str, Message],
        incoming: Iterable[Message],
    ) -> Received:
        """Check the replies to `requests`; those to anything else, and second ones, are ignored.

        asked: node -> the workers that it was asked for.
        """
        silent = set(asked)
        received = Received({}, Counter(), 0)
        for reply in incoming:
            request = requests.get(reply.metadata.reply_to_message_id)
            node = request.metadata.dst_node_id if request else None
            if node not in silent:
                continue
            silent.discard(node)
            rows, faults = self._check(reply, node, asked[node], server_round)
            received.rows |= rows
            received.dropped += faults
            received.uplink_bytes += wire.size(reply, limit=self._plausible(asked[node]))
            for reason in faults:
                self._log_once(node, reason, wire.excuse(reply))
        for node in sorted(silent):
            received.dropped["no-reply"] += len(asked[node])
            self._log_once(node, "no-reply", "")
        return received

    def _check(
        self, reply: Message, node: int, workers: tuple[int, ...], server_round: int
    ) -> tuple[dict[int, np.ndarray], Counter[str]]:
        # Flower's own errors (node lost, message expired) come from the SuperLink, not the node.
        if not reply.has_error() and reply.metadata.src_node_id != node:
            return {}, Counter({"wrong-sender": len(workers)})
        return wire.open_reply(reply, workers, self._codec, self._n_coordinates, server_round)

    def _plausible(self, workers: tuple[int, ...]) -> int:
        """Twice the bytes of an honest reply for these workers, and something for the records."""
        row = self._codec.length(self._n_coordinates) * self._codec.dtype.itemsize
        return 2 * row * len(workers) + 65_536

    def _log_once(self, node: int, reason: str, detail: str) -> None:
        if (node, reason) not in self._logged:
            self._logged.add((node, reason))
            log.warning("dropped updates of node %d: %s %s", node, reason, detail)
