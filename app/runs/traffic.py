"""What was sent until each round of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MEGABYTE = 1e6


def with_megabytes(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines with all that was sent until their round, in MB.

    Parameters
    ----------
    lines : iterable of mapping
        All lines of one `rounds.jsonl`, in order.

    Returns
    -------
    list of dict
        With `uplink_megabytes`, `downlink_megabytes` and their sum `megabytes`, 1 MB = 10^6 bytes.

    Examples
    --------
    >>> lines = [{"uplink_bytes": 1e6, "downlink_bytes": 2e6}, {"uplink_bytes": 1e6}]
    >>> [line["megabytes"] for line in with_megabytes(lines)]
    [3.0, 4.0]
    """
    up = down = 0.0
    counted = []
    for line in lines:
        up += line.get("uplink_bytes", 0) / MEGABYTE
        down += line.get("downlink_bytes", 0) / MEGABYTE
        sent = {"uplink_megabytes": up, "downlink_megabytes": down, "megabytes": up + down}
        counted.append({**line, **sent})
    return counted
