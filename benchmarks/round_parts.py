"""Where the seconds of a federation's rounds go, by the times of the requests of its processes.

What is measured is the way of the device that ends a round: the server sends a request, the device
looks for it, fetches what it holds, has it answered, announces the answer, and sends what that
holds; the server fetches it. What is left of a round is the server's. The processes of one machine
share one clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

HOOKS = Path(__file__).parent / "request_times"
FLEET = "/v1/fleet/"
# Of a device, one after the other: look for the request, fetch it, announce the answer, send it.
ROUND_TRIPS = 4


class Times:
    """The requests that processes with this environment make, one line each, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        paths = [str(HOOKS), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            "SIGNFED_TIMES": str(file), "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }  # fmt: skip

    def parts(self, rounds: int) -> dict[str, float]:
        """Medians of the parts of the last rounds of the last run, in seconds."""
        lines = sorted(map(json.loads, self._file.read_text().splitlines()), key=_began)
        last = next(line["process"] for line in reversed(lines) if line["what"] == "push_messages")
        server = [line for line in lines if line["process"] == last]
        pushes = [line for line in server if line["what"] == "push_messages"][-rounds:]
        ends = [*map(_began, pushes[1:]), float("inf")]
        found = [
            _parts(
                push["began"], push["ended"],
                [x for x in server if x["what"] == "pull_messages" and x["found"]],
                [x for x in lines if x["what"].startswith(FLEET)], end,
            )
            for push, end in zip(pushes, ends, strict=True)
        ]  # fmt: skip
        return {name: median(each[name] for each in found) for name in found[0]}


def _parts(
    asked: float, pushed: float, pulls: Sequence[Any], fleet: Sequence[Any], end: float
) -> dict[str, float]:
    """The parts of one round, from its push to the last pull before the next one."""
    over = max(pull["ended"] for pull in pulls if asked < pull["began"] < end)
    inside = [x for x in fleet if asked < x["began"] < over]
    sent = [x for x in inside if x["what"].endswith("/push-object")]
    device = max(sent, key=lambda x: x["ended"])["process"]
    own = [x for x in inside if x["process"] == device]

    def span(what: str) -> tuple[float, float]:
        these = [x for x in own if x["what"] == f"{FLEET}{what}"]
        return min(map(_began, these)), max(x["ended"] for x in these)

    fetch, announce, send = span("pull-object"), span("push-messages"), span("push-object")
    began, looked = max(
        (max(asked, x["began"]), x["ended"]) for x in fleet
        if x["process"] == device and x["what"] == f"{FLEET}pull-messages"
        and asked < x["ended"] <= fetch[0]
    )  # fmt: skip
    return {
        "waits": max(0.0, began - pushed),
        "looks": looked - began,
        "fetches": fetch[1] - looked,
        "answers": announce[0] - fetch[1],
        "announces": announce[1] - announce[0],
        "replies": send[1] - announce[1],
    }


def _began(line: dict[str, Any]) -> float:
    return float(line["began"])
