"""What of the replies is fit for a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from logging import getLogger

import numpy as np
from flwr.app import Message

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.measure import LARGE, excuse, size

log = getLogger("signfed")

# (reply, the workers for which its sender may speak, server_round) -> their valid rows, and the
# reason why each other one has none. Never raises, whatever the reply holds.
OpenReply = Callable[
    [Message, tuple[int, ...], int], tuple[dict[int, np.ndarray], dict[int, DropReason]]
]


@dataclass
class Received:
    """What one round brought in: valid rows, the reason of every other worker, bytes."""

    rows: dict[int, np.ndarray] = field(default_factory=dict)
    dropped: dict[int, DropReason] = field(default_factory=dict)
    uplink_bytes: int = 0


class Intake:
    """Check the replies of one run, in whatever dialect they are.

    Every worker that was asked ends up among the rows or in `dropped`, under one reason.

    Parameters
    ----------
    open_reply : callable
        Checks what a reply holds.
    bytes_per_worker : int
        Of an honest reply, for one worker.
    """

    def __init__(self, open_reply: OpenReply, bytes_per_worker: int) -> None:
        self._open_reply = open_reply
        self._bytes_per_worker = bytes_per_worker
        self._logged: set[tuple[int, DropReason]] = set()

    def open(
        self,
        server_round: int,
        asked: Mapping[int, tuple[int, ...]],
        requests: Mapping[str, Message],
        incoming: Iterable[Message],
    ) -> Received:
        """Check the replies to `requests`; those to anything else, and second ones, are ignored.

        Parameters
        ----------
        server_round : int
        asked : mapping
            Node -> the workers that it was asked for.
        requests : mapping
            By message id.
        incoming : iterable of Message
            Replies, in any order.

        Returns
        -------
        Received
        """
        silent = set(asked)
        received = Received()
        for reply in incoming:
            request = requests.get(reply.metadata.reply_to_message_id)
            node = request.metadata.dst_node_id if request else None
            if node not in silent:
                continue
            silent.discard(node)
            rows, faults = self._check(reply, node, asked[node], server_round)
            received.rows |= rows
            received.dropped |= faults
            received.uplink_bytes += size(reply, limit=self._plausible(asked[node]))
            for reason in sorted(set(faults.values()) - {DropReason.NON_FINITE}):  # see loop.py
                self._log_once(node, reason, excuse(reply))
        for node in sorted(silent):
            received.dropped |= dict.fromkeys(asked[node], DropReason.NO_REPLY)
            self._log_once(node, DropReason.NO_REPLY, "")
        return received

    def _check(
        self, reply: Message, node: int, workers: tuple[int, ...], server_round: int
    ) -> tuple[dict[int, np.ndarray], dict[int, DropReason]]:
        if not wire.is_from(reply, node):
            return {}, dict.fromkeys(workers, DropReason.WRONG_SENDER)
        return self._open_reply(reply, workers, server_round)

    def _plausible(self, workers: tuple[int, ...]) -> int:
        """Twice the bytes of an honest reply, and something for the records."""
        return min(LARGE, 2 * self._bytes_per_worker * len(workers) + 65_536)

    def _log_once(self, node: int, reason: DropReason, detail: str) -> None:
        if (node, reason) not in self._logged:
            self._logged.add((node, reason))
            log.warning("dropped updates of node %d: %s %s", node, reason, detail)
