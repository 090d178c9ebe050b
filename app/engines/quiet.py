"""The package's log without its warnings, for many runs at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_warnings() -> Iterator[None]:
    """Leave out warnings of skipped rounds within a `with` block: they are in the records."""
    log = logging.getLogger("signfed")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
