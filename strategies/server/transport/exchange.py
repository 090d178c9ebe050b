"""Send messages and gather the replies, whatever a reply does to whoever unpacks it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from logging import getLogger
from typing import TypeVar

import httpx
from flwr.app import Message
from flwr.serverapp import Grid

from signfed.strategies.server.transport.objects import fetched_within

log = getLogger("signfed")

FIRST_POLL, LONGEST_POLL = 0.005, 0.2  # seconds; Flower's own are 0.1 simulated, 3 deployed
GROWTH = 1.1  # of the pause, so that a reply waits for about a tenth of the time that it took
MAX_FAILED_PULLS = 3
ON_ITS_WAY = 10.0  # seconds that a reply to an earlier request may be on its way

TRIES, REST = 3, 1.0  # of a push that the SuperLink answers with an error; seconds between two

T = TypeVar("T")
Pending = dict[str, Message]  # message id -> request without a reply


def answered(ask: Callable[[], T], otherwise: T, tries: int = 1) -> T:
    """Return what the SuperLink answers, or `otherwise` where that is an error of its own.

    Flower asks again at 502, 503 and 504 alone; a 500, of a database that is busy for a moment,
    would end the run.

    Parameters
    ----------
    ask : callable
        May be called again.
    otherwise : object
    tries : int
        In all.
    """
    for left in reversed(range(tries)):
        try:
            return ask()
        except httpx.HTTPStatusError as error:
            if error.response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                raise
            log.warning("the SuperLink: %s; %s", error, "once more" if left else "going on")
        if left:
            time.sleep(REST)
    return otherwise


def push(grid: Grid, messages: list[Message]) -> Pending:
    """Send messages.

    Parameters
    ----------
    grid : Grid
        Flower's.
    messages : list of Message
        Requests.

    Returns
    -------
    Pending
        Those that were accepted; a message that is sent twice is one to the SuperLink.
    """
    nothing: set[str] = set()
    accepted = answered(lambda: set(grid.push_messages(messages)), nothing, TRIES)
    return {m.metadata.message_id: m for m in messages if m.metadata.message_id in accepted}


def arrived(
    grid: Grid,
    pending: Pending,
    failures: Counter[str] | None = None,
    patience: float = ON_ITS_WAY,
) -> list[tuple[Message, Message]]:
    """Return (request, reply) of the replies that are there.

    Unsolicited replies and second ones are ignored.

    Parameters
    ----------
    grid : Grid
        Flower's.
    pending : Pending
        Loses the requests that are returned.
    failures : Counter[str], optional
        Counts, by message id, replies that break Flower's unpacking; one such must not hide the
        others.
    patience : float
        Seconds for what was announced and is still on its way.
    """
    found = []
    with fetched_within(patience):
        incoming = _pull(grid, list(pending), Counter() if failures is None else failures)
    for reply in incoming:
        request = pending.pop(reply.metadata.reply_to_message_id, None)
        if request is not None:
            found.append((request, reply))
    return found


def replies(grid: Grid, pending: Pending, timeout: float) -> Iterator[tuple[Message, Message]]:
    """Yield (request, reply) as replies come in, until all are there or the time is over.

    A request whose reply cannot be unpacked is not waited for after a few attempts.

    Parameters
    ----------
    grid : Grid
        Flower's.
    pending : Pending
        What is left in it has no reply; the caller may add to it on the way.
    timeout : float
        Seconds.
    """
    failures: Counter[str] = Counter()
    deadline = time.monotonic() + timeout
    pause = FIRST_POLL
    while any(failures[message_id] < MAX_FAILED_PULLS for message_id in pending):
        remaining = deadline - time.monotonic()  # before the pull: the last one is after it
        yield from arrived(grid, pending, failures, max(0.0, remaining))
        if remaining <= 0:
            return
        if pending:
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * GROWTH, LONGEST_POLL)


def _pull(grid: Grid, message_ids: list[str], failures: Counter[str]) -> list[Message]:
    if not message_ids:
        return []
    try:
        return list(grid.pull_messages(message_ids))
    except Exception as error:
        log.warning("pulling replies failed (%s: %s); one by one", type(error).__name__, error)
    found: list[Message] = []
    for message_id in message_ids:
        try:
            found += grid.pull_messages([message_id])
        except Exception:
            failures[message_id] += 1
    return found
