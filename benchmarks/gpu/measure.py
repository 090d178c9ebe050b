"""The time of a round, of its gradients alone, and of one worker after the other."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.cases import Case, Kept
from benchmarks.gpu.instruments import Waited, algorithms, waits
from benchmarks.gpu.limit import timed, wait
from signfed.app.config.run_config import build_strategy
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.runs.scoring import Scorer
from signfed.strategies.server.loop import OnRound
from signfed.strategies.server.record import RoundRecord

WARM_UP = 6  # rounds or calls that are not counted: a CUDA graph is made in the fourth
PROFILED = 3  # rounds
MANY = 1_000_000  # rounds, more than ever fit into a case's time


class Clock:
    """Ends a run when its time is over. Its times are those of records, each one round late."""

    def __init__(self, seconds: float, least: int, waited: Waited) -> None:
        self._seconds, self._least, self._waited = seconds, least, waited
        self.began = time.perf_counter()
        self.times: list[float] = []
        self._waits: list[float] = []  # until then

    def on_round(self, record: RoundRecord, state: Callable[[], Any]) -> bool:
        self.times.append(time.perf_counter())
        self._waits.append(self._waited.seconds)
        counted = len(self.times) - WARM_UP
        return counted >= self._least and self.times[-1] - self.times[WARM_UP] > self._seconds

    @property
    def first(self) -> float:
        """Seconds until the record of round 1 was there."""
        return self.times[0] - self.began

    @property
    def round(self) -> float:
        """Seconds a round, the first ones not counted."""
        return self._of_each(self.times)

    @property
    def wait(self) -> float:
        """Seconds of a round in which the CPU waits for the device."""
        return self._of_each(self._waits)

    def _of_each(self, until: list[float]) -> float:
        counted = until[WARM_UP - 1 :]
        return (counted[-1] - counted[0]) / (len(counted) - 1)


def rounds(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, float]:
    """Run rounds for so long, the first one with all that a run does once.

    Parameters
    ----------
    case : Case
    problem : Kept
        One of which nothing was computed yet, and the only one that lies on the device.
    device : torch.device
    seconds : float

    Returns
    -------
    dict
        Milliseconds of a round and of waiting in it, seconds of the first, and on a GPU the peak of
        what PyTorch reserved: max_memory_allocated leaves out what a CUDA graph keeps for itself.
    """
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with waits() as waited:
        clock = Clock(seconds, 3, waited)
        _run(case, problem, device, clock.on_round)
    peak = torch.cuda.max_memory_reserved() / 1e9 if device.type == "cuda" else 0.0
    return {
        "round_ms": 1e3 * clock.round, "wait_ms": 1e3 * clock.wait, "first_round_s": clock.first,
        "peak_gb": peak, "rounds": float(len(clock.times)),
    }  # fmt: skip


def first(case: Case, device: torch.device) -> float:
    """Seconds of the first round, of a problem of its own."""
    problem = Kept(case, device.type)
    with waits() as waited:
        clock = Clock(0.0, 0, waited)
        _run(case, problem, device, lambda *given: clock.on_round(*given) or True)
    return clock.first


def _run(case: Case, problem: Kept, device: torch.device, on_round: OnRound) -> None:
    """Rounds until on_round ends them."""
    config = case.config(device.type, MANY)
    given: Any = problem
    run = Run(config, build_strategy(config), given, Scorer(config.byzantine_ids), on_round)
    with algorithms(case, device):
        local_engine(run)


def floor(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, Any]:
    """Milliseconds of all gradients and nothing else, and which way computes them.

    With the drawing of their batches, many calls under way at once, and without, each one waited
    for (`gradients_ms`).
    """
    x, everyone = problem.initial().to(device), range(case.workers)
    with algorithms(case, device):
        batched = problem.batched(lambda server_round: everyone)
        if batched is None:
            return {"floor_ms": loop(case, problem, device, seconds)["loop_ms"], "path": "loop"}
        for _ in range(WARM_UP):
            batched(x, everyone, 1)
        taken = timed(lambda: batched(x, everyone, 1), device, seconds=seconds)
        alone, began = [], time.perf_counter()
        while len(alone) < 3 or time.perf_counter() - began < seconds / 2:
            batched.draw_ahead(everyone, 1)
            wait(device)
            started = time.perf_counter()
            batched(x, everyone, 1)
            wait(device)
            alone.append(time.perf_counter() - started)
    return {
        "floor_ms": 1e3 * taken, "gradients_ms": 1e3 * sum(alone) / len(alone),
        "path": type(batched).__name__,
    }  # fmt: skip


def loop(case: Case, problem: Kept, device: torch.device, seconds: float) -> dict[str, float]:
    """Milliseconds of one worker after the other: of a few, times all of them."""
    x = problem.initial().numpy()
    few = min(4, case.workers)

    def some() -> None:
        for worker in range(few):
            problem.gradient(x, worker, 1)

    with algorithms(case, device):
        taken = timed(some, device, seconds=seconds / 2, least=1)
    return {"loop_ms": 1e3 * taken * case.workers / few}


def profile(case: Case, device: torch.device) -> str:
    """Where the time of a few steady rounds goes, as PyTorch's profiler tells it.

    Trial, compiling and capture are over when it begins to record.
    """
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    kinds = [ProfilerActivity.CPU]
    kinds += [ProfilerActivity.CUDA] if device.type == "cuda" else []
    recorder = profiled(activities=kinds)

    def on_round(record: RoundRecord, state: Callable[[], Any]) -> bool:
        if record.round == WARM_UP:
            wait(device)
            recorder.start()
        if record.round == WARM_UP + PROFILED:
            wait(device)
            recorder.stop()
        return record.round == WARM_UP + PROFILED

    _run(case, Kept(case, device.type), device, on_round)
    by = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return str(recorder.key_averages().table(sort_by=by, row_limit=25))
