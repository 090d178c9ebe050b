"""Rounds on one GPU: first whether they are right, then what they cost beside what they could.

python -m benchmarks.gpu --minutes 8 --out DIR [--device cuda] [--checks 0.25]
Needs torch, NumPy, pydantic, rich and typer; no network, no Ray, and no Flower. It stops at its
time; what it has found by then is in DIR: results.json, results.md, profile.txt. What fails is a
line there, and all else is measured all the same. --device cpu rehearses at tiny sizes.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch reads it at the first product

import torch

from benchmarks.gpu.stand_in import without_flower

without_flower()  # before anything that names Flower's classes

from benchmarks.gpu import limit, measure, side_by_side  # noqa: E402
from benchmarks.gpu.cases import Case, Kept, cases  # noqa: E402
from benchmarks.gpu.checks import all_checks  # noqa: E402
from benchmarks.gpu.writing import Findings  # noqa: E402
from signfed.app.config.run_config import build_strategy  # noqa: E402
from signfed.app.engines.room import check_room, free_and_total, room_of  # noqa: E402
from signfed.clients import ENCODERS  # noqa: E402
from signfed.strategies.registry import STRATEGIES  # noqa: E402

LAST = 0.06  # of the time, for the profile
PROFILE_CALLS = 2 * (measure.WARM_UP + measure.PROFILED)  # rounds, which the profiler slows
CALLS = 60  # times the least that a row can take: a dozen rounds, several times slower than that


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--checks", type=float, default=0.25, help="share of the time")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("expected a GPU; torch sees none: --device cpu rehearses", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as empty:  # else the first round finds what was compiled
        os.environ.setdefault("TRITON_CACHE_DIR", empty)
        return benchmark(given)


def benchmark(given: argparse.Namespace) -> int:
    """Everything, in its time; 1 where a check failed."""
    torch.set_num_threads(1 if given.device == "cpu" else torch.get_num_threads())
    device, tiny = torch.device(given.device), given.device == "cpu"
    began, span = time.perf_counter(), 60 * given.minutes
    findings = Findings(given.out, device)
    findings.add("cold", first_of_all(device, tiny))
    findings.add("card", limit.card(device))
    for name, check in all_checks(given.device, tiny):
        if time.perf_counter() - began > given.checks * span:
            rule, _, attack = name.partition(" under ")
            findings.leave_out(f"checks under {attack}" if attack else "checks", rule)
            continue
        findings.add("checks", {"name": name} | looked_at(check))
        del check  # and what it holds on the device
    beside(findings, given.device, began + 0.5 * span)
    until = began + (1 - LAST) * span
    per_row = 0.1 if tiny else 0.6
    for row in rows(findings, device, tiny, until, per_row):
        findings.add("rows", row)
        print(f"{row['model']} {row['workers']} {row['rule']} {row['precision']}: "
              f"{row.get('round_ms', row['note'])}", flush=True)  # fmt: skip
    profiled(findings, device, began + span)
    failed = [each for each in findings.found["checks"] if not each["ok"]]
    print(f"{len(failed)} checks failed; {given.out / 'results.md'}")
    return 1 if failed else 0


def first_of_all(device: torch.device, tiny: bool) -> dict[str, Any]:
    """The first round of the first case, before the process has computed anything."""
    case = next(cases(tiny))
    found = attempt(lambda: measure.first(case, device))
    said = {"seconds": found} if isinstance(found, float) else {"note": found}
    return {"of": f"{case.of} {case.rule}"} | said


def looked_at(check: Any) -> dict[str, Any]:
    """A check's answer; an error is one, too."""
    found = attempt(check)
    ok, said = found if isinstance(found, tuple) else (False, found)
    return {"ok": ok, "said": said}


def beside(findings: Findings, device: str, until: float) -> None:
    """How much more several runs get done than one, on this card."""
    left = until - time.perf_counter()
    if left < side_by_side.LEAST[device]:
        findings.leave_out("runs", "side by side")
        return
    found = attempt(lambda: side_by_side.throughput(device, left))
    findings.add("side_by_side", found if isinstance(found, dict) else {"note": found})


def attempt(work: Callable[[], Any]) -> Any:
    """What it returns, or in a line why it returns nothing: all else is still wanted."""
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def rows(
    findings: Findings, device: torch.device, tiny: bool, until: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """One row a case, as far as the time goes."""
    card = findings.found["card"]
    for _, group in groupby(cases(tiny), key=lambda case: case.group):
        shared: dict[str, Any] = {}
        for case in group:
            if time.perf_counter() > until:
                findings.leave_out(case.of, case.rule)
                continue
            row = asdict(case) | {"note": ""}

            def measured(case: Case = case) -> dict[str, Any]:
                nonlocal shared
                refuse_what_does_not_fit(case, device)
                on_signs = ENCODERS.get(STRATEGIES[case.rule].encoder) is ENCODERS["sign"]
                asked = limit.asked_of_it(case, on_signs)
                least = limit.least_ms(asked, card, case.precision)
                if time.perf_counter() + CALLS * least / 1e3 > until:
                    raise TimeoutError("it would take longer than the time that is left")
                problem = Kept(case, device.type)
                found = measure.rounds(case, problem, device, seconds)  # the first thing it does
                shared = shared or (
                    measure.floor(case, problem, device, seconds)
                    | measure.loop(case, problem, device, seconds)
                )
                ratio = found["round_ms"] / shared["floor_ms"]
                return shared | asked | found | {"ratio": ratio, "least_ms": least}

            found = attempt(measured)
            if isinstance(found, dict):
                row |= found
            else:
                row["note"] = found
                if device.type == "cuda":
                    attempt(torch.cuda.empty_cache)
            yield row


def refuse_what_does_not_fit(case: Case, device: torch.device) -> None:
    """As a run is refused before it starts; counted on the CPU."""
    if device.type == "cuda":
        config = case.config(device.type, 2)
        given: Any = Kept(replace(case, precision="float32"), "cpu")
        gc.collect()  # what earlier rows hold
        torch.cuda.empty_cache()
        free, card = free_and_total()
        room = room_of(config, build_strategy(config), given, way="shared", card=card)
        check_room(room, free, case.workers)


def profiled(findings: Findings, device: torch.device, until: float) -> None:
    """Profile the slowest row of those whose rounds fit into the time that is left."""
    taken = [row for row in findings.found["rows"] if "round_ms" in row]
    slowest_first = sorted(taken, key=lambda row: row["round_ms"], reverse=True)
    for place, row in enumerate(slowest_first):
        seconds = row["first_round_s"] + row["round_ms"] / 1e3 * PROFILE_CALLS
        if time.perf_counter() + seconds < until:
            case = Case(**{field: row[field] for field in Case.__dataclass_fields__})
            findings.profile(attempt(lambda case=case: measure.profile(case, device)))
            slower = f"; {place} slower ones would have taken too long" if place else ""
            findings.add("profile_of", f"{case.of} {case.rule}, steady rounds{slower}")
            return
    findings.leave_out("profile", "of any row")


if __name__ == "__main__":
    sys.exit(main())
