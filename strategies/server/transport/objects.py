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
from typing import Any

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

    A reply whose objects are not there by then is an error of its node's.

    Parameters
    ----------
    seconds : float
        For all replies that are fetched.
    """
    grid: Any = sys.modules.get(REAL_NODES)
    if grid is None:
        yield
        return
    usual = grid.pull_objects
    grid.pull_objects = sooner(usual, seconds)
    try:
        yield
    finally:
        grid.pull_objects = usual
