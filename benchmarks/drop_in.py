"""Seconds a round in another's Flower app: our rules beside Flower's FedAvg, in turns.

Ten nodes of one ClientApp in this process; a ResNet-18 with its batch norms, as PyTorch holds it.
A node unpacks the model into a state_dict, changes each float array and packs it again; every
request and every reply goes through bytes of protobuf and back. Nothing trains: what is timed is
what a strategy and its messages cost, in one thread, by the processor's time and the clock on the
wall. Starts take turns, in another order each time; the first round of a start is left out.
"server" is a round without the sending and the nodes.

python -m benchmarks.drop_in [--nodes 10] [--rounds 3] [--repeat 3] [--out FILE]
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as Proto
from flwr.serverapp.strategy import FedAvg, Strategy

import signfed
from benchmarks.common import report
from tests.grid import InProcessGrid

# (strategy, its class, the client's mods)
CASES: list[tuple[str, Callable[..., Strategy], list]] = [
    ("FedAvg (Flower)", FedAvg, []),
    ("Mean", signfed.Mean, []),
    ("CoordinateMedian", signfed.CoordinateMedian, []),
    ("SignGuard", signfed.SignGuard, []),
    ("SignMV, one_bit", signfed.SignMV, [signfed.one_bit]),
    ("SignMV, one_bit_both", signfed.SignMV, [signfed.one_bit_both]),
]


def model() -> dict[str, torch.Tensor]:
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return resnet18(num_classes=10).state_dict()


def client(mods: list) -> ClientApp:
    """A node changes every float array and counts one batch more; its own way, and fast."""
    app = ClientApp(mods=mods)

    @app.train()
    def train(message, context):
        state = message.content["arrays"].to_torch_state_dict()
        factor = 1 + 1e-3 * (int(context.node_config["partition-id"]) - 4.5)
        for values in state.values():
            values.mul_(factor) if values.is_floating_point() else values.add_(1)
        metrics = MetricRecord({"num-examples": 100})
        content = {"arrays": ArrayRecord(state), "metrics": metrics}
        return Message(RecordDict(content), reply_to=message)

    return app


class TimedGrid(InProcessGrid):
    """Messages as bytes, and when each round began."""

    def __init__(self, app: ClientApp, nodes: int) -> None:
        super().__init__(app, nodes)
        self.began: list[float] = []  # of each round: processor time
        self.struck: list[float] = []  # and time on the wall
        self.away: list[float] = []  # processor seconds in messages and nodes
        self.up = self.down = 0  # bytes of the last round's messages
        self._round = 0

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        messages = list(messages)
        started = time.process_time()
        for message in messages:
            if (number := message.content["config"]["server-round"]) != self._round:
                self._round, self.up, self.down = number, 0, 0
                self.began.append(started)
                self.struck.append(time.perf_counter())
                self.away.append(0.0)
        pushed = []
        for message in messages:
            self.down += self._through_bytes(message)
            pushed += super().push_messages([message])
        for message_id in pushed:
            self.up += sum(self._through_bytes(reply) for reply in self._inbox[message_id])
        self.away[-1] += time.process_time() - started
        return pushed

    def _through_bytes(self, message: Message) -> int:
        """Replace the content by what comes out at the other end; its size."""
        data = recorddict_to_proto(message.content).SerializeToString()
        message.content = recorddict_from_proto(Proto.FromString(data))
        return len(data)


def play(
    strategy: Callable[..., Strategy], mods: list, nodes: int, rounds: int
) -> dict[str, float]:
    """Median seconds of a round and of the server's part of it, and megabytes a node."""
    grid = TimedGrid(client(mods), nodes)
    each = strategy(fraction_evaluate=0.0, min_available_nodes=nodes, min_train_nodes=nodes)
    each.start(grid, ArrayRecord(model()), rounds)
    wall = _lengths([*grid.struck, time.perf_counter()])
    whole = _lengths([*grid.began, time.process_time()])
    server = [a - b for a, b in zip(whole, grid.away, strict=True)]
    return {
        "wall s": median(wall[1:]), "s": median(whole[1:]), "server s": median(server[1:]),
        "up": grid.up / nodes / 1e6, "down": grid.down / nodes / 1e6,
    }  # fmt: skip


def _lengths(times: list[float]) -> list[float]:
    return [end - begin for begin, end in pairwise(times)]


def _rotated(places: Sequence[int], turn: int) -> list[int]:
    """The places from another one on in each turn: who comes first pays for fresh memory."""
    start = turn * (len(places) // 2) % len(places)
    return [*places[start:], *places[:start]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    logging.disable()
    torch.set_num_threads(1)
    found: list[list[dict[str, float]]] = []
    for turn in range(given.repeat):
        measured = {}
        for i in _rotated(range(len(CASES)), turn):
            _, strategy, mods = CASES[i]
            measured[i] = play(strategy, mods, given.nodes, given.rounds)
        found.append([measured[i] for i in range(len(CASES))])
    logging.disable(logging.NOTSET)
    rows: list[dict[str, Any]] = []
    for i, (name, *_) in enumerate(CASES):
        row: dict[str, Any] = {"strategy": name}
        for what in ("wall s", "s", "server s"):
            row[what] = median(turn[i][what] for turn in found)
            row[f"{what} / FedAvg"] = median(turn[i][what] / turn[0][what] for turn in found)
        rows.append(row | {"MB up": found[-1][i]["up"], "MB down": found[-1][i]["down"]})
    size = sum(values.numel() for values in model().values() if values.is_floating_point())
    report(f"A round of {given.nodes} nodes, {size:,} floats; in turns", rows, given.out)


if __name__ == "__main__":
    main()
