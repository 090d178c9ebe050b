"""Runs side by side on one card: processes of their own, as a sweep starts them.

python -m benchmarks.gpu.side_by_side DEVICE is one of them: it warms up, says so, waits for a line,
and then counts rounds for as many seconds as the line says.
"""

from __future__ import annotations

import subprocess
import sys
from threading import Timer
from typing import Any

MANY = {"cuda": 8, "cpu": 2}
LEAST = {"cuda": 60.0, "cpu": 30.0}  # seconds that it may take, with processes that start
SECONDS = {"cuda": 5.0, "cpu": 0.5}


def throughput(device: str, seconds: float) -> dict[str, Any]:
    """Return rounds a second of one run and of several together, and their ratio.

    The network is SignGuard's CNN with 50 workers and batches of 50, as in its MNIST figures.
    """
    one, many = _rounds(device, 1, seconds / 2), _rounds(device, MANY[device], seconds / 2)
    return {"runs": MANY[device], "one": one, "together": many, "ratio": many / one}


def _rounds(device: str, runs: int, seconds: float) -> float:
    """Rounds a second of so many runs, all of them counted at the same time."""
    command = [sys.executable, "-m", "benchmarks.gpu.side_by_side", device]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(runs)
    ]
    given_up = Timer(seconds, lambda: [process.kill() for process in started])
    given_up.start()
    try:
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"one of {runs} runs side by side did not start in its time")
        for process in started:
            assert process.stdin is not None
            process.stdin.write(f"{SECONDS[device]}\n")
            process.stdin.flush()
        return sum(float(process.communicate()[0]) for process in started)
    finally:
        given_up.cancel()
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    from benchmarks.gpu.stand_in import without_flower

    without_flower()
    import time

    import torch

    from benchmarks.gpu.cases import Case, Kept
    from benchmarks.gpu.limit import wait
    from signfed.app.config.run_config import build_strategy
    from signfed.app.engines.local.engine import local_engine
    from signfed.app.engines.run import Run

    device = torch.device(sys.argv[1])
    if device.type == "cpu":
        torch.set_num_threads(1)
        case = Case("mlp", 7, 4, 2, "signguard", "float32")
    else:
        case = Case("signguard-cnn", 50, 50, 10, "signguard", "float32")
    warm_up, times = 8, []
    seconds = 0.0

    def on_round(record: Any, state: Any) -> bool:
        nonlocal seconds
        if len(times) == warm_up:
            wait(device)
            print("ready", flush=True)
            seconds = float(sys.stdin.readline())
        times.append(time.perf_counter())
        return len(times) > warm_up + 1 and times[-1] - times[warm_up] > seconds

    config = case.config(device.type, 1_000_000)
    given: Any = Kept(case, device.type)
    local_engine(Run(config, build_strategy(config), given, None, on_round))
    counted = times[warm_up:]
    print((len(counted) - 1) / (counted[-1] - counted[0]))


if __name__ == "__main__":
    main()
