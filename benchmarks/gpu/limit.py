"""What a card can do, measured on it, and what a round asks of it, counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.cases import MODELS, Case, Kept
from signfed.app.task.precision import precision


def wait(device: torch.device) -> None:
    """Wait for all work of the device; a CPU has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(
    work: Callable[[], Any], device: torch.device, *, seconds: float, least: int = 3
) -> float:
    """Seconds a call, over calls that fill a time, after one that is not counted."""
    work()
    wait(device)
    started, calls = time.perf_counter(), 0
    while calls < least or time.perf_counter() - started < seconds:
        work()
        calls += 1
        if calls % 8 == 0:  # else a queue of work grows far beyond the time
            wait(device)
    wait(device)
    return (time.perf_counter() - started) / calls


def card(device: torch.device) -> dict[str, float]:
    """FLOP/s of square matrix products by precision, and bytes/s of a copy, read and written.

    Of random values: where all are the same a card takes less power, and runs faster.
    """
    size = 8192 if device.type == "cuda" else 256
    draws = torch.Generator(device).manual_seed(0)
    a, b = torch.randn(2, size, size, device=device, generator=draws)
    found = {}
    for name in ("float32", "tf32", "bfloat16"):
        if name == "tf32" and device.type == "cpu":
            continue
        with precision(name, device):
            found[name] = 2 * size**3 / timed(lambda: a @ b, device, seconds=0.2)
    x = torch.randn(size * size * 4, device=device, generator=draws)
    found["bytes"] = 2 * x.nbytes / timed(x.clone, device, seconds=0.2)
    return found


def asked_of_it(case: Case, on_signs: bool) -> dict[str, float]:
    """FLOP of all gradients, and bytes that have to be moved once: images, gradients, rows."""
    flop, n = _of_a_sample(case.model)
    image = np.prod(MODELS[case.model]) * 4
    row = -(-n // 8) if on_signs else 4 * n
    return {
        "flop": float(case.workers * case.batch * flop),
        "bytes": float(case.workers * (case.batch * image + 4 * n + 2 * row) + 4 * 4 * n),
    }


@lru_cache
def _of_a_sample(model: str) -> tuple[float, int]:
    """FLOP of one sample's gradient, and the number of parameters.

    Counted on the CPU, so that the device has computed nothing of the network before its first
    round; of two samples, since batch norm takes no batch of one.
    """
    problem = Kept(Case(model, 2, 2, 0, "sign-mv", "float32", attack="none"), "cpu")
    x = problem.initial().numpy()
    with FlopCounterMode(display=False) as counter:
        problem.gradient(x, 0, 1)
    return counter.get_total_flops() / 2, len(x)


def least_ms(asked: dict[str, float], card: dict[str, float], precision: str) -> float:
    """Milliseconds in which this card could do it, arithmetic and memory side by side."""
    rate = card.get(precision, card["float32"])
    return 1e3 * max(asked["flop"] / rate, asked["bytes"] / card["bytes"])
