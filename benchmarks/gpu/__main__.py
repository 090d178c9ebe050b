"""Rounds on one GPU: first whether they are right, then what they cost beside what they could.

python -m benchmarks.gpu --minutes 8 --out DIR [--device cuda] [--checks 0.25]
Needs torch, NumPy, pydantic, rich and typer; no network, no Ray, and no Flower. It stops at its
time, and what it has found by then is in DIR: results.json, results.md, profile.txt. With
--device cpu it is a rehearsal at tiny sizes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.stand_in import without_flower

without_flower()  # before anything that names Flower's classes

from benchmarks.gpu import limit, measure  # noqa: E402
from benchmarks.gpu.cases import Case, Kept, cases  # noqa: E402
from benchmarks.gpu.checks import all_checks  # noqa: E402
from benchmarks.gpu.writing import Findings  # noqa: E402
from signfed.app.config.run_config import build_strategy  # noqa: E402
from signfed.app.engines.room import check_room, free_and_total, room_of  # noqa: E402
from signfed.app.errors import ConfigError  # noqa: E402
from signfed.clients import ENCODERS  # noqa: E402
from signfed.strategies.registry import STRATEGIES  # noqa: E402

LAST = 0.06  # of the time, for the profile


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
    torch.set_num_threads(1 if given.device == "cpu" else torch.get_num_threads())
    device, tiny = torch.device(given.device), given.device == "cpu"
    began, span = time.perf_counter(), 60 * given.minutes
    findings = Findings(given.out, device)
    findings.add("card", limit.card(device))
    for name, check in all_checks(given.device, tiny):
        if time.perf_counter() - began > given.checks * span:
            findings.add("left_out", f"check: {name}")
            continue
        findings.add("checks", {"name": name} | looked_at(check))
    until = began + (1 - LAST) * span
    per_row = 0.1 if tiny else 0.6
    for row in rows(findings, device, tiny, until, per_row):
        findings.add("rows", row)
        print(f"{row['model']} {row['workers']} {row['rule']} {row['precision']}: "
              f"{row.get('round_ms', row['note'])}", flush=True)  # fmt: skip
    profiled(findings, given.device, device)
    failed = [each for each in findings.found["checks"] if not each["ok"]]
    print(f"{len(failed)} checks failed; {given.out / 'results.md'}")
    return 1 if failed else 0


def looked_at(check: Any) -> dict[str, Any]:
    """A check's answer; an error is one, too."""
    try:
        ok, said = check()
    except Exception as error:  # the others are still wanted
        ok, said = False, f"{type(error).__name__}: {error}"
    return {"ok": ok, "said": said}


def rows(
    findings: Findings, device: torch.device, tiny: bool, until: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """One row a case, as far as the time goes."""
    card = findings.found["card"]
    for _, group in groupby(cases(tiny), key=lambda case: case.group):
        problem, shared = None, {}
        for case in group:
            if time.perf_counter() > until:
                findings.add("left_out", " ".join(map(str, (*case.group, case.rule))))
                continue
            row = asdict(case) | {"note": ""}
            try:
                problem = problem or Kept(case, device.type)
                refuse_what_does_not_fit(case, problem, device)
                shared = shared or (
                    measure.floor(case, problem, device, seconds)
                    | measure.loop(case, problem, device, seconds)
                )
                on_signs = ENCODERS.get(STRATEGIES[case.rule].encoder) is ENCODERS["sign"]
                asked = limit.asked_of_it(problem, case.workers, on_signs)
                row |= shared | asked | measure.rounds(case, problem, device, seconds)
                row["ratio"] = row["round_ms"] / row["floor_ms"]
                row["least_ms"] = limit.least_ms(asked, card, case.precision)
            except (ConfigError, torch.OutOfMemoryError) as error:
                row["note"] = str(error).splitlines()[0]
                problem, shared = None, {}
                if device.type == "cuda":
                    torch.cuda.empty_cache()
            yield row


def refuse_what_does_not_fit(case: Case, problem: Kept, device: torch.device) -> None:
    """As a run is refused before it starts."""
    if device.type == "cuda":
        config = case.config(device.type, 2)
        given: Any = problem
        free, card = free_and_total()
        room = room_of(config, build_strategy(config), given, by_blocks=True, card=card)
        check_room(room, free, case.workers)


def profiled(findings: Findings, name: str, device: torch.device) -> None:
    """Profile the row that is farthest from its floor."""
    slow = [row for row in findings.found["rows"] if "ratio" in row]
    if not slow:
        return
    worst = max(slow, key=lambda row: row["ratio"])
    case = Case(**{field: worst[field] for field in Case.__dataclass_fields__})
    findings.profile(measure.profile(case, Kept(case, name), device))
    findings.add("profile_of", " ".join(map(str, (*case.group, case.rule))))


if __name__ == "__main__":
    sys.exit(main())
