"""What a message is made of, fetched as soon as it is there, and for no longer than a round lasts.

Flower announces a message before it sends the objects that the message holds: its records, arrays,
and the pieces of arrays. Who finds one still on its way looks again after 1, 2, 4, 8 and then every
10 s; Flower 1.41 has no options for it. Over a slow link that is longer than the bytes take. And a
node that announces a reply and sends nothing would hold the server up for three minutes, after
which the SuperLink forgets it; for two hours if it sends a little now and then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import getLogger
from types import SimpleNamespace
from typing import Any

from flwr.app import Message

log = getLogger("signfed")

REAL_NODES = "flwr.superlink.grid.http_grid"  # imported where its Grid is used: it takes seconds
FIRST_LOOK, LONGEST = 0.05, 0.5  # seconds between two looks for an object; each twice the last one


def sooner(fetch: Callable[..., Any], seconds: float | None = None) -> Callable[..., Any]:
    """Return a function of Flower's that fetches objects, with shorter pauses.

    Parameters
    ----------
    fetch : callable
        `pull_objects` or `pull_and_inflate_object_from_tree`.
    seconds : float, optional
        From now on; what is not there then counts as not sent. Flower's two hours by default.

    Returns
    -------
    callable
        To stand in its place.
    """
    pauses: dict[str, Any] = {"initial_backoff": FIRST_LOOK, "backoff_cap": LONGEST}
    pauses["max_tries_per_object"] = None  # Flower's number is for its own pauses
    end = None if seconds is None else time.monotonic() + seconds

    def fetched(*arguments: Any, **given: Any) -> Any:
        left = {} if end is None else {"max_time": max(0.0, end - time.monotonic())}
        return fetch(*arguments, **pauses, **left, **given)

    return fetched


@contextmanager
def fetched_within(seconds: float) -> Iterator[None]:
    """Have Flower's Grid fetch what replies hold with shorter pauses, and no longer than this.

    A reply whose objects are not there by then is an error of its node's. One whose objects cannot
    be unpacked is left out, and so is an error the next time: it must not take along those that
    came with it, which the SuperLink hands over once.

    Parameters
    ----------
    seconds : float
        For all replies that are fetched.
    """
    grid: Any = sys.modules.get(REAL_NODES)
    if grid is None:
        yield
        return
    usual, unpack = grid.pull_objects, grid.inflate_object_from_contents
    grid.pull_objects = sooner(usual, seconds)
    grid.inflate_object_from_contents = _unpacked_or_nothing(unpack)
    try:
        yield
    finally:
        grid.pull_objects, grid.inflate_object_from_contents = usual, unpack


def _unpacked_or_nothing(unpack: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands in the place of a reply that is none: it answers no message."""

    def unpacked(*arguments: Any, **given: Any) -> Any:
        try:
            found = unpack(*arguments, **given)
            if isinstance(found, Message):
                return found
            log.warning("a reply is no message but %s", type(found).__name__)
        except Exception as error:
            log.warning("a reply cannot be unpacked: %s", type(error).__name__)
        return SimpleNamespace(metadata=SimpleNamespace(reply_to_message_id=""))

    return unpacked
