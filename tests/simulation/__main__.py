"""`python -m tests.simulation`: seeds by the thousand, one of them again, a failing one shrunk."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path

from tests.conftest import THREADS  # one thread for each process

for _name in THREADS:
    os.environ.setdefault(_name, "1")

import torch  # noqa: E402

from tests.simulation.broken import VARIANTS  # noqa: E402
from tests.simulation.model import Violation  # noqa: E402
from tests.simulation.scenario import PUBLIC, Scenario, drawn  # noqa: E402
from tests.simulation.seeds import many  # noqa: E402
from tests.simulation.shrink import shrunk  # noqa: E402
from tests.simulation.simulate import simulate, simulated  # noqa: E402


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


def first_seed(variant: str, seeds: range) -> int:
    """The first of the seeds that finds what is broken by its name; -1 for none."""
    name, broken = VARIANTS[variant]
    with simulated(), broken():
        return next((s for s in seeds if failure(drawn(s)) == name), -1)


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
        for said, start, step in (("all", 0, 1), ("of public apps", PUBLIC - 1, PUBLIC)):
            print(f"{said}:")
            for variant in VARIANTS:
                first = first_seed(variant, range(start, given.seeds, step))
                print(f"    {json.dumps(variant)}: {first},", flush=True)
        return 0
    if given.seed is not None:
        return one(given.seed, given.shrink)
    return many(given.first, given.seeds, given.jobs, given.seconds, given.out)


if __name__ == "__main__":
    sys.exit(main())
