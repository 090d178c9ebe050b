"""The time of a round, of its gradients alone, and of one worker after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.cases import Case, Kept
from benchmarks.gpu.limit import timed
from signfed.app.config.run_config import build_strategy
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.runs.scoring import Scorer
from signfed.app.task.repeatable import repeatable
from signfed.strategies.server.record import RoundRecord

WARM_UP = 6  # rounds or calls that are not counted: a CUDA graph is made in the fourth
MANY = 1_000_000  # rounds, more than ever fit into a case's time


class Clock:
    """Ends a run when its time is over. Its times are those of records, each one round late."""

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds, self._least = seconds, least
        self.began = time.perf_counter()
        self.times: list[float] = []

    def on_round(self, record: RoundRecord, state: Callable[[], Any]) -> bool:
        self.times.append(time.perf_counter())
        counted = len(self.times) - WARM_UP
        return counted >= self._least and self.times[-1] - self.times[WARM_UP] > self._seconds

    @property
    def first(self) -> float:
        """Seconds until the record of round 1 was there."""
        return self.times[0] - self.began

    @property
    def round(self) -> float:
        """Seconds a round, the first ones not counted."""
        counted = self.times[WARM_UP - 1 :]
        return (counted[-1] - counted[0]) / (len(counted) - 1)


def rounds(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, float]:
    """Run rounds for so long; return milliseconds and, on a GPU, the peak of its memory."""
    config = case.config(device.type, MANY)
    clock = Clock(seconds, least=3)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    observe = Scorer(config.byzantine_ids)
    given: Any = problem
    local_engine(Run(config, build_strategy(config), given, observe, clock.on_round))
    peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    return {
        "round_ms": 1e3 * clock.round, "first_round_s": clock.first, "peak_gb": peak,
        "rounds": float(len(clock.times)),
    }  # fmt: skip


def floor(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, Any]:
    """Milliseconds of all gradients and nothing else, and which way computes them."""
    x, everyone = problem.initial().to(device), range(case.workers)
    with repeatable(device):
        batched = problem.batched(lambda server_round: everyone)
        if batched is None:
            return {"floor_ms": loop(case, problem, device, seconds)["loop_ms"], "path": "loop"}
        for _ in range(WARM_UP):
            batched(x, everyone, 1)
        taken = timed(lambda: batched(x, everyone, 1), device, seconds=seconds)
    return {"floor_ms": 1e3 * taken, "path": type(batched).__name__}


def loop(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, float]:
    """Milliseconds of one worker after the other: of a few, times all of them."""
    x = problem.initial().numpy()
    few = min(4, case.workers)

    def some() -> None:
        for worker in range(few):
            problem.gradient(x, worker, 1)

    with repeatable(device):
        taken = timed(some, device, seconds=seconds / 2, least=1)
    return {"loop_ms": 1e3 * taken * case.workers / few}


def profile(case: Case, problem: Kept, device: torch.device) -> str:
    """Where the time of a few rounds goes, as PyTorch's profiler tells it."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    config = case.config(device.type, 6)
    kinds = [ProfilerActivity.CPU]
    kinds += [ProfilerActivity.CUDA] if device.type == "cuda" else []
    given: Any = problem
    observe = Scorer(config.byzantine_ids)
    with profiled(activities=kinds) as found:
        local_engine(Run(config, build_strategy(config), given, observe, lambda *given: None))
    by = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return str(found.key_averages().table(sort_by=by, row_limit=25))
