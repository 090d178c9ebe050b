"""All workers' gradients of a round: one worker at a time, by vmap, and in one shared pass.

python -m benchmarks.gradients [--cases mlp signguard-cnn ...] [--repeat 7] [--device cpu]
The ways take turns in one process. Data are random: times do not depend on them. On a CPU processor
seconds are of all threads; other work on the machine disturbs them less than wall-clock time. Each
way ends with its gradients on the CPU, where the loop's are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.common import report
from signfed.app.engines.freed_memory import keep_freed_memory
from signfed.app.task import Dataset, Gradients, Spec, build, flatten
from signfed.app.task.batched import BatchedGradients
from signfed.app.task.shared import SharedGradients
from signfed.strategies.ops.threads import cores

GREY, RGB = Spec((1, 28, 28), 10), Spec((3, 32, 32), 10)
SIZES = (7, 12, 16, 20, 33, 34, 53, *[64] * 8)  # of digits' shards, Dirichlet with alpha = 0.1
Case = tuple[str, Spec, int, int | Sequence[int]]
CASES: dict[str, Case] = {  # model, what it fits, workers, batch
    "mlp": ("mlp", Spec((64,), 10), 15, 64),
    "mlp, uneven": ("mlp", Spec((64,), 10), 15, SIZES),
    "krum-mlp": ("krum-mlp", Spec((57,), 2), 20, 32),
    "signguard-cnn": ("signguard-cnn", GREY, 50, 50),
    "fd-cnn": ("fd-cnn", GREY, 15, 64),
    "fd-cnn, batch 16": ("fd-cnn", GREY, 15, 16),
    "bft-cnn": ("bft-cnn", GREY, 15, 64),
    "resnet-56": ("resnet-56", RGB, 15, 64),
    "resnet-18": ("resnet-18", RGB, 15, 64),
    "tiny": ("mlp", Spec((4,), 3), 2, 3),  # for the tests
}
LARGE = 5_000_000  # parameters above which vmap's matrices are left out on a CPU


def gradients_of(case: str, device: torch.device, precision: str) -> Gradients:
    model, spec, workers, batch = CASES[case]
    draws = torch.Generator().manual_seed(0)
    n = 2 * workers * (batch if isinstance(batch, int) else max(batch))
    x = torch.randn((n, *spec.input_shape), generator=draws)
    data = Dataset(x, torch.arange(n) % spec.num_classes, x, torch.zeros(n, dtype=torch.int64))
    shards = np.arange(n).reshape(workers, -1)
    return Gradients(
        build(model, spec, 1), data, shards,
        batch_size=batch, seed=0, device=device, precision=precision,
    )  # fmt: skip


def ways_of(gradients: Gradients, pool: ThreadPoolExecutor) -> dict[str, Callable[[], Any]]:
    parameters, everyone = flatten(gradients.model).cpu().numpy(), range(len(gradients.batch_sizes))
    batched, shared = BatchedGradients(gradients), SharedGradients(gradients)
    on_gpu = gradients.device.type == "cuda"

    def loop() -> list[np.ndarray]:
        run = map if on_gpu else pool.map
        return list(run(lambda worker: gradients(parameters, worker, 1), everyone))

    ways: dict[str, Callable[[], Any]] = {"loop": loop}
    few = on_gpu or len(parameters) < LARGE
    if few and batched.works(parameters, everyone, 1):
        ways["vmap"] = lambda: batched(parameters, everyone, 1).cpu()
    ways["shared"] = lambda: shared(parameters, everyone, 1).cpu()
    return ways


def measured(case: str, repeat: int, device: torch.device, precision: str) -> dict[str, Any]:
    gradients = gradients_of(case, device, precision)
    threads = cores()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        ways = ways_of(gradients, pool)
        wall: dict[str, list[float]] = {name: [] for name in ways}
        processor: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(repeat + 1):
            for name, run in ways.items():
                before = time.perf_counter(), time.process_time()
                run()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if turn:
                    wall[name].append(time.perf_counter() - before[0])
                    processor[name].append(time.process_time() - before[1])
    row: dict[str, Any] = {"case": case, "workers": len(gradients.batch_sizes)}
    for name in ("loop", "vmap", "shared"):
        row[f"{name}, ms"] = 1e3 * median(wall[name]) if name in ways else None
    for name in ("vmap", "shared"):
        shares = zip(processor.get(name, ()), processor["loop"], strict=False)
        row[f"{name} of loop"] = median(a / b for a, b in shares) if name in ways else None
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = [case for case in CASES if case != "tiny"]
    parser.add_argument("--cases", nargs="+", choices=CASES, default=usual)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    keep_freed_memory()
    device = torch.device(given.device)
    rows = [measured(case, given.repeat, device, given.precision) for case in given.cases]
    report(
        f"Gradients of a round, {given.device}, {given.precision}; medians; 'of loop': processor "
        "time as a share of the loop's", rows, given.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
