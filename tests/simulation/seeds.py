"""Seeds by the thousand, in several processes; what came of them, kept as it grows."""

from __future__ import annotations

import gc
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from signfed.app.engines.signals import end_with_parent
from signfed.app.runs.json_files import replace_text
from tests.simulation.scenario import drawn
from tests.simulation.simulate import Result, simulate, simulated

BLOCK = 500  # seeds that a process takes at a time, at most
COLLECT = 50  # seeds between two collections of garbage


Counted = tuple[int, int, list[tuple[int, str]], Counter[str]]


def block(first: int, last: int) -> Counted:
    """Run the seeds first..last-1: how many, rounds, failures, counts."""
    torch.set_num_threads(1)
    rounds, failed, counts = 0, [], Counter[str]()
    with simulated():
        for seed in range(first, last):
            if seed % COLLECT == 0:
                gc.collect()
            try:
                result: Result = simulate(drawn(seed))
            except Exception as error:
                failed.append((seed, f"{type(error).__name__}: {error}"[:300]))
                continue
            rounds += result.rounds
            counts += result.faults
            counts[f"end: {result.end}"] += 1
            counts["server processes"] += result.attempts
    return last - first, rounds, failed, counts


@dataclass
class Tally:
    """What came of the seeds from `first` on."""

    first: int
    seeds: int = 0
    rounds: int = 0
    seconds: float = 0.0
    failed: list[tuple[int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def kept(cls, first: int, file: Path | None) -> Tally:
        """What a file says of seeds that were run before, where there is one."""
        if file is None or not file.exists():
            return cls(first)
        found = cls(**json.loads(file.read_text()))
        if found.first != first:
            raise SystemExit(f"--out: expected a new file, or one from seed {first}; {file} has "
                             f"seeds from {found.first}")  # fmt: skip
        found.failed, found.counts = [(s, w) for s, w in found.failed], Counter(found.counts)
        return found

    def text(self) -> str:
        return json.dumps(asdict(self) | {"counts": dict(sorted(self.counts.items()))}, indent=1)


def many(first: int, number: int, jobs: int, seconds: float, out: Path | None) -> int:
    """Run that many seeds, or as many as the time allows; print and write what came of them."""
    tally = Tally.kept(first, out)
    before, began = tally.seconds, time.monotonic()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=Console(stderr=True)))
        bar = progress.add_task("seeds", total=number, completed=tally.seeds)
        for size, more, wrong, counted in stack.enter_context(
            _blocks(first + tally.seeds, first + number, jobs)
        ):
            tally.rounds, tally.seeds = tally.rounds + more, tally.seeds + size
            tally.failed += wrong
            tally.counts += counted
            took = time.monotonic() - began
            tally.seconds = round(before + took, 1)
            for seed, text in wrong:
                print(f"seed {seed}: {text}", flush=True)
            if out:
                replace_text(out, tally.text())
            progress.update(bar, completed=tally.seeds)
            if seconds and took > seconds:
                break
    print(tally.text())
    return 1 if tally.failed else 0


@contextmanager
def _blocks(first: int, last: int, jobs: int) -> Iterator[Iterator[Counted]]:
    """What came of blocks of seeds, in their order; a process that dies ends it with an error."""
    size = max(1, min(BLOCK, (last - first) // (4 * jobs)))
    starts = range(first, last, size)
    ends = [min(start + size, last) for start in starts]
    if jobs == 1:
        yield map(block, starts, ends)
        return
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), end_with_parent)
    try:
        yield pool.map(block, starts, ends)
    finally:
        pool.shutdown(cancel_futures=True)
