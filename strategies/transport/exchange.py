"""Send messages and gather the replies, whatever a reply does to whoever unpacks it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from logging import getLogger

from flwr.app import Message
from flwr.serverapp import Grid

log = getLogger("signfed")

FIRST_POLL, LONGEST_POLL = 0.005, 0.2  # seconds; Flower's own are 0.1 simulated, 3 deployed
MAX_FAILED_PULLS = 3


def push(grid: Grid, messages: list[Message]) -> dict[str, Message]:
    """Send; returns message id -> request for those that were accepted."""
    accepted = set(grid.push_messages(messages))
    return {m.metadata.message_id: m for m in messages if m.metadata.message_id in accepted}


def replies(
    grid: Grid, requests: dict[str, Message], timeout: float
) -> Iterator[tuple[Message, Message]]:
    """Yield (request, reply) as replies come in, until all are there or `timeout` seconds passed.

    A request whose reply cannot be unpacked is given up after a few attempts; late and
    unsolicited replies are ignored.
    """
    pending = dict(requests)
    failures: Counter[str] = Counter()
    deadline = time.monotonic() + timeout
    pause = FIRST_POLL
    while pending:
        for reply in _pull(grid, pending, failures):
            request = pending.pop(reply.metadata.reply_to_message_id, None)
            if request is not None:
                yield request, reply
        for message_id in [m for m, count in failures.items() if count >= MAX_FAILED_PULLS]:
            pending.pop(message_id, None)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        if pending:
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, LONGEST_POLL)


def _pull(grid: Grid, pending: dict[str, Message], failures: Counter[str]) -> list[Message]:
    """Replies that are there. One that breaks Flower's unpacking must not hide the others."""
    try:
        return list(grid.pull_messages(list(pending)))
    except Exception as error:
        log.warning("pulling replies failed (%s: %s); one by one", type(error).__name__, error)
    found: list[Message] = []
    for message_id in pending:
        try:
            found += grid.pull_messages([message_id])
        except Exception:
            failures[message_id] += 1
    return found
