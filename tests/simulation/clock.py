"""Simulated time: it passes only where somebody sleeps, and what is due then happens."""

from __future__ import annotations

import heapq
from collections.abc import Callable

SLACK = 5.0  # seconds of a phase beyond its timeouts
MOST_SLEEPS = 20_000  # of a phase


class EndlessError(AssertionError):
    """Somebody waits longer than any timeout allows."""


class Clock:
    """Stand for the module `time` in the code under test."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.back = 0.0  # seconds by which the wall clock was set back
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._until, self._sleeps = float("inf"), 0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        """The time of day, which may be set back."""
        return self.now - self.back

    def thread_time(self) -> float:
        return 0.0  # copies of the state cost nothing, so one is kept after each round

    def sleep(self, seconds: float) -> None:
        self._sleeps += 1
        self._pass(self.now + max(0.0, seconds))
        if self.now > self._until or self._sleeps > MOST_SLEEPS:
            raise EndlessError(f"still waiting at {self.now:.2f}, until {self._until:.2f} at most")

    def jump(self, seconds: float) -> None:
        """Time is lost: a machine was suspended."""
        self._until += seconds
        self._pass(self.now + seconds)

    def set_back(self, seconds: float) -> None:
        """Whoever sets clocks finds this one ahead; what counts seconds goes on."""
        self.back += seconds

    def phase(self, seconds: float) -> None:
        """From now on, waiting has to end within so many seconds."""
        self._until, self._sleeps = self.now + seconds + SLACK, 0

    def at(self, when: float, happens: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (when, self._number, happens))

    def forget(self) -> None:
        """The server is another process: what was on its way to the old one is lost."""
        self._due.clear()

    def _pass(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            when, _, happens = heapq.heappop(self._due)
            self.now = max(self.now, when)
            happens()
        self.now = max(self.now, until)
