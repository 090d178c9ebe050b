"""What the server's memory grows to, beside the formula that bounds it.

    python -m benchmarks.memory

A server with replies made on the spot by ten nodes that compute nothing; peak resident memory above
what the process had before the run. The formula (docs/deployment.md), in bytes, with n updates a
round of L bytes each, and N parameters:

    k n L + 64 N + 16 MB

k: 8 for sign-fd and the signguards, 10 for bulyan, 5 for centered-clipping and lasa, else 4.
sign-fd per coordinate keeps 2 M N more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from flwr.app import Message
from flwr.serverapp import Grid

import tests.grid  # noqa: F401 - outside Flower, messages can be made only with it
from benchmarks.common import report
from signfed.clients import ENCODERS
from signfed.strategies.registry import STRATEGIES, build
from signfed.strategies.server.federation import Federation, Participation
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.own_app import run_federation
from signfed.strategies.server.transport import wire

NODES = 10
ROWS = dict.fromkeys(("sign-fd", "signguard", "signguard-sim", "signguard-dist"), 8)
ROWS |= {"bulyan": 10, "centered-clipping": 5, "lasa": 5}
CASES = {
    "sign-mv": {}, "sign-fd": {}, "sign-fd, alg1": {"estimator": "alg1", "initial_rounds": 2},
} | {name: {} for name in STRATEGIES if name not in ("sign-mv", "sign-fd", "election")}  # fmt: skip


class Echo(Grid):
    """Ten nodes whose replies are random rows, made when they are pulled."""

    def __init__(self, num_workers: int, codec: Any, n_coordinates: int) -> None:
        self._num_workers, self._codec, self._n = num_workers, codec, n_coordinates
        self._draws, self._waiting = np.random.default_rng(0), {}

    def set_run(self, run: Any) -> None: ...

    run = property(lambda self: None)

    def create_message(self, *given: Any, **more: Any) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> list[int]:
        return list(range(1, NODES + 1))

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = uuid4().hex
            ids.append(message.metadata.message_id)
            self._waiting[ids[-1]] = message
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return [self._reply(self._waiting.pop(i)) for i in message_ids if i in self._waiting]

    def _reply(self, request: Message) -> Message:
        place = request.metadata.dst_node_id - 1
        if request.metadata.message_type != wire.TRAIN:
            return wire.hello_reply(request, place, NODES)
        workers = range(place, self._num_workers, NODES)
        vector = self._draws.standard_normal(self._n, dtype=np.float32)
        rows = {w: self._codec.encode(np.roll(vector, w)) for w in workers}
        return wire.train_reply(request, rows, int(request.content["config"]["round"]))

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Any:
        return self.pull_messages(self.push_messages(messages))


def formula(case: str, workers: int, n: int) -> int:
    """Upper bound in bytes."""
    rule = case.split(",")[0]
    codec = ENCODERS[STRATEGIES[rule].encoder]().codec
    row = codec.length(n) * codec.dtype.itemsize
    counts = 2 * workers * n if "alg1" in case else 0
    return ROWS.get(rule, 4) * workers * row + 64 * n + (1 << 24) + counts


def resident(peak: bool = False) -> int:
    """Bytes of this process in memory: now, or at most since its peak was forgotten."""
    field = "VmHWM" if peak else "VmRSS"
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def measure(case: str, workers: int, n: int, rounds: int = 4) -> int:
    """Peak bytes above the start, in this process, which should be a fresh one."""
    rule = build(STRATEGIES[case.split(",")[0]], n_byzantine=workers // 6, seed=0, **CASES[case])
    codec = ENCODERS[rule.encoder]().codec
    federation = Federation(
        Participation(workers), codec, rule.encoder, Step(0.001), reference=lambda x, t: x + 1
    )
    run_federation(rule, federation, Echo(workers, codec, 64), torch.zeros(n), 0, 60.0)  # imports
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    run_federation(rule, federation, Echo(workers, codec, n), torch.zeros(n), rounds, 60.0)
    return resident(peak=True) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, metavar=("CASE", "M", "N"), default=None)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.one:
        print(measure(given.one[0], int(given.one[1]), int(given.one[2])))
        return
    rows = []
    for case in CASES:
        for workers, n in ((100, 100_000), (1000, 100_000), (100, 1_000_000), (15, 582_026)):
            if not case.startswith(("sign-", "reputation")) and workers * n > 5e7:
                continue  # gigabytes
            command = [
                sys.executable,
                "-m",
                "benchmarks.memory",
                "--one",
                case,
                str(workers),
                str(n),
            ]
            peak = int(subprocess.run(command, capture_output=True, check=True).stdout.split()[-1])
            bound = formula(case, workers, n)
            rows.append({
                "rule": case, "workers": workers, "N": n, "peak MB": peak / 1e6,
                "formula MB": bound / 1e6, "peak / formula": peak / bound,
            })  # fmt: skip
    report("the server's memory above its start", rows, given.out)


if __name__ == "__main__":
    main()
