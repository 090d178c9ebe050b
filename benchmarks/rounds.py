"""What a round costs beside its gradients: the local engine, Flower, and ByzFL's own training loop.

python -m benchmarks.rounds [--only local flower byzfl] [--tasks digits mnist] [--out FILE]
Data are random: the time of a gradient does not depend on them. Everything that is compared runs in
turns in the same process, or one after the other on the same machine. All of it on the CPU, where a
record's seconds are those of its work: rounds on a GPU are timed by benchmarks.gpu.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.common import random_images, report, seconds
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.flower.local_flower import LocalFlower
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.runs.scoring import Scorer
from signfed.app.task import Classification, Spec, build
from signfed.strategies.ops.threads import cores
from signfed.strategies.server.record import RoundRecord

WORKERS, BATCH = 15, 64
RULES = ("sign-mv", "sign-fd", "signguard", "multi-krum")
WARM_UP = 3  # rounds that are not counted
TASKS = {"digits": (300, 100), "mnist": (35, 15)}  # rounds of the local engine and of ByzFL


def problem(task: str) -> Classification:
    shape = (64,) if task == "digits" else (1, 28, 28)
    config = parse({"task": task, "device": "cpu"})
    return Classification(config.workload, random_images(shape, 1437))


def bare_gradients(task: str) -> tuple[Callable[[], object], ThreadPoolExecutor]:
    """All workers' gradients and nothing else, the faster way: one call, or a worker a core."""
    found = problem(task)
    x, pool = found.initial().numpy(), ThreadPoolExecutor(cores(), initializer=_one_thread)
    everyone = range(WORKERS)
    if batched := found.batched(lambda t: everyone):
        return lambda: batched(x, everyone, 1), pool
    return lambda: list(pool.map(lambda w: found.gradient(x, w, 1), range(WORKERS))), pool


def _one_thread() -> None:
    torch.set_num_threads(1)


class Clock:
    """Times the bare gradients after each round, so that both see the same machine."""

    def __init__(self, bare: Callable[[], object]) -> None:
        self.bare, self.ours, self.floor = bare, [], []

    def on_round(self, record: RoundRecord, state: Callable) -> None:
        before = time.perf_counter()
        self.bare()
        self.floor.append(time.perf_counter() - before)
        self.ours.append(sum(record.seconds.values()))


def local_rows(task: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Rounds of the local engine in turns with the bare gradients."""
    bare, pool = bare_gradients(task)
    with pool:
        for rule in RULES:
            given = {"task": task, "strategy": rule, "num-byzantine": 3, "num-rounds": rounds}
            config = parse(given | {"evaluate-every": rounds, "device": "cpu"})
            clock = Clock(bare)
            observe = Scorer(config.byzantine_ids)
            local_engine(
                Run(config, build_strategy(config), problem(task), observe, clock.on_round)
            )
            a, b = median(clock.ours[WARM_UP:-1]), median(clock.floor[WARM_UP:-1])
            yield {
                "engine": "local", "task": task, "rule": rule, "ms per round": 1e3 * a,
                "rounds/s": 1 / a, "floor": "bare gradients", "floor ms": 1e3 * b, "ratio": a / b,
            }  # fmt: skip


def flower_rows(rounds: int) -> Iterator[dict[str, Any]]:
    """Rounds of Flower's simulation beside empty ones that carry as many bytes."""
    n_parameters = 9610
    for nodes in (2, 15):
        federation = f"num-supernodes={nodes} client-resources-num-cpus=1"
        with tempfile.TemporaryDirectory() as folder, LocalFlower() as flower:
            out = Path(folder) / "run"
            flower.submit(
                {"strategy": "sign-mv", "num-rounds": rounds, "evaluate-every": rounds,
                 "device": "cpu", "out-dir": str(out)},
                federation,
            )  # fmt: skip
            while read_summary(out).get("status", "running") == "running":
                time.sleep(0.5)
            ours = [r["seconds"]["clients"] + r["seconds"]["server"] for r in read_rounds(out)]
        with tempfile.TemporaryDirectory() as folder, LocalFlower() as flower:
            out = Path(folder) / "seconds.json"
            held = -(-WORKERS // nodes)
            app = Path(__file__).parent / "empty_round"
            config = {"rounds": rounds, "nodes": nodes, "down": n_parameters // 8}
            config |= {"up": held * (n_parameters // 8), "out": str(out)}
            flower.submit(config, federation, app=app)
            while not out.exists():
                time.sleep(0.5)
            time.sleep(0.5)
            empty = json.loads(out.read_text())
        a, b = median(ours[WARM_UP:]), median(empty[WARM_UP:])
        yield {
            "engine": f"flower, {nodes} nodes", "task": "digits", "rule": "sign-mv",
            "ms per round": 1e3 * a, "rounds/s": 1 / a, "floor": "empty rounds",
            "floor ms": 1e3 * b, "ratio": a / b,
        }  # fmt: skip


def byzfl_rows(task: str, repeat: int) -> Iterator[dict[str, Any]]:
    """ByzFL's training loop (Client, Server) on our network, beside its own gradients alone."""
    try:
        import byzfl.fed_framework.models as zoo
        from byzfl import Client, Server
    except ImportError:
        return
    name, shape = ("mlp", (64,)) if task == "digits" else ("fd-cnn", (1, 28, 28))
    zoo.signfed_network = lambda: build(name, Spec(shape, 10), 0)
    data = random_images(shape, 1437)
    samples = torch.utils.data.TensorDataset(data.train_x, data.train_y)
    loader = torch.utils.data.DataLoader(samples, BATCH, shuffle=True)
    common = {
        "model_name": "signfed_network", "device": "cpu", "optimizer_name": "SGD",
        "learning_rate": 0.01, "weight_decay": 0.0, "milestones": [], "learning_rate_decay": 1.0,
    }  # fmt: skip
    more = {"loss_name": "CrossEntropyLoss", "LabelFlipping": False, "momentum": 0.0}
    more |= {"nb_labels": 10, "store_per_client_metrics": False, "training_dataloader": loader}
    clients = [Client(common | more) for _ in range(WORKERS)]
    server = Server(common | {
        "validation_loader": loader, "test_loader": loader, "optimizer_params": {},
        "aggregator_info": {"name": "MultiKrum", "parameters": {"f": 3}}, "pre_agg_list": [],
    })  # fmt: skip

    def gradients() -> None:
        for client in clients:
            client.compute_gradients()

    def whole() -> None:
        gradients()
        server.update_model_with_gradients([c.get_flat_gradients_with_momentum() for c in clients])
        model = server.get_dict_parameters()
        for client in clients:
            client.set_model_state(model)

    a, b = seconds(whole, repeat=repeat), seconds(gradients, repeat=repeat)
    yield {
        "engine": "ByzFL 0.0.11", "task": task, "rule": "multi-krum", "ms per round": 1e3 * a,
        "rounds/s": 1 / a, "floor": "its own gradients", "floor ms": 1e3 * b, "ratio": a / b,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=["local", "flower", "byzfl"])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=None, help="of each, in place of enough")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if "local" in given.only:
        rows += [row for t in given.tasks for row in local_rows(t, given.rounds or TASKS[t][0])]
    if "byzfl" in given.only:
        rows += [row for t in given.tasks for row in byzfl_rows(t, given.rounds or TASKS[t][1])]
    if "flower" in given.only:
        rows += flower_rows(given.rounds or 60)
    report(f"{WORKERS} workers, batch {BATCH}; medians", rows, given.out)


if __name__ == "__main__":
    main()
