"""`python -m tests.simulation`: seeds by the thousand, one of them again, a failing one shrunk."""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.conftest import THREADS  # one thread for each process

for _name in THREADS:
    os.environ.setdefault(_name, "1")

import torch  # noqa: E402

from signfed.app.runs.json_files import replace_text  # noqa: E402
from tests.simulation.broken import VARIANTS  # noqa: E402
from tests.simulation.model import Violation  # noqa: E402
from tests.simulation.scenario import Scenario, drawn  # noqa: E402
from tests.simulation.shrink import shrunk  # noqa: E402
from tests.simulation.simulate import Result, simulate, simulated  # noqa: E402

BLOCK = 100  # seeds that a process takes at a time
COLLECT = 20  # seeds between two collections of garbage


def failure(scenario: Scenario) -> str:
    """What a scenario fails with; empty where it does not. Within `simulated()`."""
    try:
        simulate(scenario)
    except KeyboardInterrupt:
        raise
    except Violation as violation:
        return violation.name
    except Exception as error:
        return type(error).__name__
    return ""


def block(first: int, last: int) -> tuple[int, list[tuple[int, str]], Counter[str]]:
    """Run the seeds first..last-1: rounds, failures, counts."""
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
    return rounds, failed, counts


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


def _blocks(first: int, last: int) -> Iterator[tuple[int, int]]:
    return ((at, min(at + BLOCK, last)) for at in range(first, last, BLOCK))


def many(first: int, number: int, jobs: int, seconds: float, out: Path | None) -> int:
    """Run that many seeds, or as many as the time allows; print and write what came of them."""
    tally = Tally.kept(first, out)
    before, began = tally.seconds, time.monotonic()
    blocks = _blocks(first + tally.seeds, first + number)
    with ExitStack() as stack:
        if jobs > 1:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(jobs))
        found = pool.imap(_block, blocks) if jobs > 1 else map(_block, blocks)
        for size, (more, wrong, counted) in found:
            tally.rounds, tally.seeds = tally.rounds + more, tally.seeds + size
            tally.failed += wrong
            tally.counts += counted
            took = time.monotonic() - began
            tally.seconds = round(before + took, 1)
            for seed, text in wrong:
                print(f"seed {seed}: {text}", flush=True)
            if out:
                replace_text(out, tally.text())
            if seconds and took > seconds:
                break
    print(tally.text())
    return 1 if tally.failed else 0


def _block(place: tuple[int, int]) -> tuple[int, tuple[int, list[tuple[int, str]], Counter[str]]]:
    return place[1] - place[0], block(*place)


def one(seed: int, shrink: bool) -> int:
    """Run one seed again and show it; shrink it where it fails."""
    scenario = drawn(seed)
    with simulated():
        name = failure(scenario)
        if name and shrink:
            scenario = shrunk(scenario, failure)
        print(scenario)
        if not name:
            result = simulate(scenario)
            print(f"{result.end}: {result.rounds} rounds, {result.attempts} server processes")
            print(f"trace {result.trace}")
            return 0
        try:
            simulate(scenario)
        except Exception:
            traceback.print_exc(limit=-8)
    return 1


def first_seed(variant: str, most: int) -> int:
    """The first seed that finds what is broken by its name; -1 for none."""
    name, broken = VARIANTS[variant]
    with simulated(), broken():
        return next((s for s in range(most) if failure(drawn(s)) == name), -1)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed, shown")
    parser.add_argument("--shrink", action="store_true", help="with --seed: the shortest schedule")
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=0.0, help="no more than so long; 0: all")
    parser.add_argument(
        "--out", type=Path, help="a file for counts and failures, as they grow; gone on with"
    )
    parser.add_argument("--broken", action="store_true", help="search for each broken variant")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.broken:
        for variant in VARIANTS:
            print(f"    {json.dumps(variant)}: {first_seed(variant, given.seeds)},", flush=True)
        return 0
    if given.seed is not None:
        return one(given.seed, given.shrink)
    return many(given.first, given.seeds, given.jobs, given.seconds, given.out)


if __name__ == "__main__":
    sys.exit(main())
