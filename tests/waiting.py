"""Waiting for events, not for seconds: a test passes where everything takes 20 times as long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

GUARD = 800.0  # seconds, against hanging only; less than pytest's own limit, so that it says what
LOOK = 0.05
T = TypeVar("T")


def until(true: Callable[[], T], what: str, patience: float = GUARD) -> T:
    """Wait for something that becomes true, and return it."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(LOOK)
    return found
