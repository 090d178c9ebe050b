"""What Flower starts on a node: hosts this node's workers, one NumPyClient each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, wraps
from pathlib import Path

import torch
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp

from app.config import RunConfig, Workload, parse
from app.task import TASKS, Gradients, build, stratified
from attacks import ATTACKS
from clients import ByzantineClient, HonestClient
from strategies.codecs import Codec
from strategies.transport import wire

Handler = Callable[[Message, Context], Message]

CLIENT_FAILED = 2  # Flower's code for an exception in a ClientApp

app = ClientApp()


def always_replies(handler: Handler) -> Handler:
    """Answer an exception with an error: a node that answers nothing hangs for good."""

    @wraps(handler)
    def wrapped(message: Message, context: Context) -> Message:
        try:
            return handler(message, context)
        except Exception as error:
            return Message(
                Error(CLIENT_FAILED, f"{type(error).__name__}: {error}"), reply_to=message
            )

    return wrapped


@app.query("hello")
@always_replies
def hello(message: Message, context: Context) -> Message:
    """Tell the server which partition this node is."""
    return wire.hello_reply(message, *_partition(context))


@app.train()
@always_replies
def train(message: Message, context: Context) -> Message:
    """One encoded update for each hosted worker."""
    config = parse(context.run_config)
    data_dir = context.node_config.get("data-dir", config.workload.data_dir)
    gradients = _gradients(replace(config.workload, data_dir=str(data_dir)))
    parameters, server_round, codec = wire.read_train(message)
    partition, num_partitions = _partition(context)
    rows = {}
    for worker in range(partition, config.workload.num_workers, num_partitions):
        client = _client(worker, config, gradients, codec)
        (rows[worker],), _, _ = client.fit([parameters], {"round": server_round})
    return wire.train_reply(message, rows, server_round)


def _partition(context: Context) -> tuple[int, int]:
    try:
        node = context.node_config
        return int(node["partition-id"]), int(node["num-partitions"])
    except KeyError as missing:
        raise ValueError(
            f"node-config lacks {missing}: start this SuperNode with --node-config "
            "'partition-id=P num-partitions=N'"
        ) from None


def _client(worker: int, config: RunConfig, gradients: Gradients, codec: Codec) -> HonestClient:
    if worker not in config.byzantine_ids:
        return HonestClient(worker, gradients, codec)
    return ByzantineClient(
        worker,
        gradients,
        codec,
        ATTACKS[config.attack.name],
        dict(config.attack.options),
        seed=config.workload.seed,
        n_total=config.workload.num_workers,
    )


@lru_cache(maxsize=1)  # a process serves one run after another, many rounds each
def _gradients(workload: Workload) -> Gradients:
    if workload.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but this node sees no GPU")
    use_gpu = workload.device != "cpu" and torch.cuda.is_available()
    data = TASKS[workload.task].load(Path(workload.data_dir).expanduser(), workload.download)
    return Gradients(
        build(workload.model, workload.seed),
        data,
        stratified(data.train_y.numpy(), workload.num_workers, workload.seed),
        batch_size=workload.batch_size,
        seed=workload.seed,
        device=torch.device("cuda" if use_gpu else "cpu"),
    )
