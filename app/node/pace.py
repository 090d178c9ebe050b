"""How often a node looks whether there is work: often while a run is under way, seldom at rest."""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.125  # of the time since the last work; so much longer does a round last at most
LEAST, BUSY = 0.25, 0.05  # seconds


class Pace:
    """Flower's pauses between two looks for work, made shorter after work.

    pause = min(Flower's, max(LEAST, SHARE * seconds since the last work))

    Flower's own are fixed (3 s of an idle SuperNode, 1 s of its SuperExec), which is as long as a
    round. In a run of short rounds a node now looks soon; at rest it looks as seldom as before, so
    a federation that waits costs its server no more.

    Parameters
    ----------
    least : float
        The shortest pause, in seconds.
    clock, wait : callable
        Of the time module.

    Examples
    --------
    >>> now, pauses = [0.0], []
    >>> pace = Pace(clock=lambda: now[0], wait=pauses.append)
    >>> pace.worked()
    >>> for now[0] in (0.0, 8.0, 100.0):
    ...     pace.sleep(3)
    >>> pauses
    [0.25, 1.0, 3]
    """

    def __init__(
        self,
        least: float = LEAST,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._least, self._clock, self._wait = least, clock, wait
        self._worked = -float("inf")

    def worked(self) -> None:
        """Note that there was work just now."""
        self._worked = self._clock()

    def sleep(self, seconds: float) -> None:
        """Wait between two looks for work.

        Parameters
        ----------
        seconds : float
            Flower's pause.
        """
        since = SHARE * (self._clock() - self._worked)
        self._wait(min(seconds, max(self._least, since)))
