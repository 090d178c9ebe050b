"""Seconds a round of three loopback nodes: with the warm worker, without, and Flower's own floor.

    python -m benchmarks.warm_node --times 3

Each federation (a SuperLink and three SuperNodes, real processes) first carries the empty app of
`benchmarks/empty_round`, whose client does nothing, then signfed: digits, one worker a node. The
two kinds of federation take turns, so that what else the machine does falls on both. A round's
seconds move in steps: an idle SuperNode asks every 3 s for messages. The processor time of the
processes of a message does not: it is what a busy machine says most about.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import psutil

from benchmarks.common import report
from signfed.app.runs.folder import read_rounds, read_summary
from tests.loopback import Processes

NODES = 3
EMPTY = Path(__file__).parent / "empty_round"
KINDS = {"warm worker": "", "a process per message": "warm-worker=false"}


@dataclass
class Found:
    """Of one app: wall-clock seconds of each round, processor seconds of a message's process."""

    rounds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def carry(place: Path, node_config: str, rounds: int, empty: Found, ours: Found) -> str:
    """One federation: the empty app, then signfed; the digest of signfed's model."""
    processes, out = Processes(place), place / "run"
    try:
        processes.federation(NODES, node_config)
        given = f"rounds={rounds} nodes={NODES} out='{place / 'empty.json'}'"
        assert processes.run_to_its_end(given, EMPTY) == "finished:completed"
        before = spent(processes)  # by all processes but the last, which nobody has waited for
        given = (
            f"num-rounds={rounds} num-workers={NODES} num-byzantine=0 attack='none' "
            f"strategy='sign-mv' evaluate-every={rounds} device='cpu' out-dir='{out}'"
        )
        status = processes.run_to_its_end(given)
        assert status == "finished:completed", (place / "superlink.log").read_text()[-3000:]
        after = spent(processes)
    finally:
        processes.end()
    empty.rounds += json.loads((place / "empty.json").read_text())
    ours.rounds += [sum(line["seconds"].values()) for line in read_rounds(out)]
    a_message = before / (rounds - 1)
    empty.cpu.append(a_message / NODES)
    ours.cpu.append((after - before - a_message) / rounds / NODES)  # hello, and all but the last
    return read_summary(out)["model_sha256"]


def spent(processes: Processes) -> float:
    """Processor seconds of the processes of messages that have ended."""
    nodes = [psutil.Process(process.pid) for process in processes.started[1:]]
    times = [child.cpu_times() for node in nodes for child in node.children()]
    return sum(time.children_user + time.children_system for time in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    found = {kind: (Found(), Found()) for kind in KINDS}
    models = set()
    for _ in range(given.times):
        for kind, node_config in KINDS.items():
            with tempfile.TemporaryDirectory() as place:
                models.add(carry(Path(place), node_config, given.rounds, *found[kind]))
            print(kind, *found[kind], flush=True)
    assert len(models) == 1, "the worker changed the model"
    rows = [row(kind, *pair) for kind, pair in found.items()]
    report(f"{given.rounds} rounds of {NODES} nodes, {given.times} times", rows, given.out)


def row(kind: str, empty: Found, ours: Found) -> dict[str, Any]:
    return {
        "nodes": kind, "s a round": median(ours.rounds), "floor s": median(empty.rounds),
        "round / floor": median(ours.rounds) / median(empty.rounds),
        "mean round / mean floor": mean(ours.rounds) / mean(empty.rounds),
        "CPU s a message": mean(ours.cpu), "floor CPU s": mean(empty.cpu),
        "CPU / floor": mean(ours.cpu) / mean(empty.cpu),
    }  # fmt: skip


if __name__ == "__main__":
    main()
