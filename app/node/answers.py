"""What a node answers: it hosts its workers, one NumPyClient each."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache, partial
from logging import getLogger

from flwr.app import Context, Message

from signfed.app.config.run_config import RunConfig, parse
from signfed.app.engines import workers
from signfed.app.engines.claims import claimed
from signfed.app.engines.freed_memory import keep_freed_memory
from signfed.app.node import memory
from signfed.app.task import Problem, Workload, problem_of
from signfed.app.task.many import ManyGradients
from signfed.app.task.repeatable import repeatable
from signfed.clients import Adversary, GradientFn, replica
from signfed.strategies.server.transport import wire

log = getLogger("flwr")  # whose lines a node shows
# Workloads of which this process has computed a gradient.
_warmed: set[Workload] = set()


def answer(message: Message, context: Context) -> Message:
    """Return what the node answers to a message.

    Parameters
    ----------
    message : Message
        A question of `transport.wire`: hello, or train.
    context : Context
        The node's, whose state `train` changes.
    """
    return {wire.HELLO: hello, wire.TRAIN: train}[message.metadata.message_type](message, context)


def hello(message: Message, context: Context) -> Message:
    """Tell the server which partition this node is, once it can compute a gradient.

    Parameters
    ----------
    message : Message
        The server's question.
    context : Context
        The run config, and the node config with "partition-id" and "num-partitions".

    Returns
    -------
    Message
        With the digests of what the node computes on.

    Raises
    ------
    ValueError
        When the node config lacks its partition, or the run config is wrong.
    """
    partition, num_partitions = _partition(context)
    workload = _config_of(context).workload
    if workload.alone and workload.task == "own-data" and num_partitions < workload.num_workers:
        raise ValueError(
            "own-data: expected a node for each worker, since a node has one folder; got "
            f"num-workers={workload.num_workers} and num-partitions={num_partitions}"
        )
    _warm(workload, partition)
    return wire.hello_reply(message, partition, num_partitions, _problem(workload).digest())


def train(message: Message, context: Context) -> Message:
    """Make one encoded update for each hosted worker of the round, or say what the node lacks.

    Parameters
    ----------
    message : Message
        A request, as `transport.wire` describes it.
    context : Context
        The node's state holds its copy of the model, and what its workers remember.

    Returns
    -------
    Message
        The rows, with the ids of workers whose gradient is not finite; or the version of the model
        that the node holds, where it cannot follow. The same request again gets the same answer.

    Raises
    ------
    ValueError
        When the node has answered a later round.
    """
    config = _config_of(context)
    _, request = wire.read_train(message)
    server_round = wire.read_round(request)
    if again := memory.answered(message, context, server_round):
        return again
    try:
        descent = replica.follow(message, context, config.step)
    except replica.CannotFollow as lack:
        return wire.lacking_reply(message, lack.held)
    parameters = descent.parameters.numpy()
    partition, num_partitions = _partition(context)
    problem, adversary = _problem(config.workload), _adversary(config)
    gradient = _gradient(config, partition, num_partitions)
    if "allocation" in request:
        gradient = workers.coded(gradient, request, config)
    poisoned = workers.poisoned(problem, request, config)
    encoder = config.build_encoder(str(request["encoder"]))
    rows, memories, non_finite = {}, {}, []
    with repeatable(problem.device):
        for worker in config.participation.workers(server_round):
            if worker % num_partitions != partition:
                continue
            before = memory.recall(context, worker)
            client = workers.client(worker, config, gradient, poisoned, encoder, before, adversary)
            sent, _, _ = client.fit([parameters], {"round": server_round})
            if sent:
                rows[worker] = sent[0]
            else:
                non_finite.append(worker)
            memories[worker] = client.memory
    asked = list(rows) if request.get(wire.ACCURACY) else []
    said = claimed(config, problem, descent.parameters, asked, server_round)
    reply = wire.train_reply(message, rows, server_round, non_finite, said)
    replica.keep(descent, message, context)  # last: a handler that failed must leave no trace
    memory.remember(context, memories, reply, server_round)
    return reply


def _partition(context: Context) -> tuple[int, int]:
    try:
        node = context.node_config
        return int(node["partition-id"]), int(node["num-partitions"])
    except KeyError as missing:
        raise ValueError(
            f"node-config lacks {missing}: start this SuperNode with --node-config "
            "'partition-id=P num-partitions=N'"
        ) from None


def _config_of(context: Context) -> RunConfig:
    """The run's config, with the node's own data folder if it names one."""
    config = _config(json.dumps(dict(context.run_config), sort_keys=True))
    workload, own = config.workload, context.node_config.get("data-dir")
    if own is None:
        return config
    return replace(config, workload=replace(workload, data_dir=str(own), alone=True))


@lru_cache(maxsize=1)  # checking it tries the attack, and all that it is made of
def _config(run_config: str) -> RunConfig:
    return parse(json.loads(run_config))


@lru_cache(maxsize=1)
def _adversary(config: RunConfig) -> Adversary:
    return workers.adversary(config, _problem(config.workload))


@lru_cache(maxsize=1)
def _gradient(config: RunConfig, partition: int, num_partitions: int) -> GradientFn:
    # A process of Flower's simulation serves many nodes in turn: what was tried for one will do.
    tried = partition if config.workload.alone else 0
    if many := _many(config, tried, num_partitions):
        return workers.AtOnce(many, partial(_whose, config, partition, num_partitions))
    gradient = _problem(config.workload).gradient
    return workers.Remembered(gradient) if _looks_around(config) else gradient


@lru_cache(maxsize=1)  # to try it takes seconds, and it keeps its CUDA graphs
def _many(config: RunConfig, partition: int, num_partitions: int) -> ManyGradients | None:
    """The way to the gradients of all of a node's workers, on a GPU."""
    problem = _problem(config.workload)
    everyone = config.participation.count == config.workload.num_workers
    if problem.device.type == "cpu":
        return None
    many, way = None, {"way": "loop", "because": "fraction-train has each round ask others"}
    if everyone:
        many = problem.batched(partial(_whose, config, partition, num_partitions))
        way = problem.way
    log.info("gradients: %s (%s)", way["way"], way["because"])
    return many


def _whose(config: RunConfig, partition: int, num_partitions: int, server_round: int) -> list[int]:
    """The workers of a round whose gradients a node computes."""
    here = slice(None) if _looks_around(config) else slice(partition, None, num_partitions)
    hosted = set(range(config.workload.num_workers)[here])
    return [worker for worker in config.participation.workers(server_round) if worker in hosted]


def _looks_around(config: RunConfig) -> bool:
    return bool(config.byzantine_ids) and _adversary(config).attack.knowledge != "own"


def _warm(workload: Workload, worker: int) -> None:
    """Loads and imports on first use take seconds, which a round's deadline may not have."""
    if workload not in _warmed:
        problem = _problem(workload)
        problem.gradient(problem.initial().numpy(), min(worker, workload.num_workers - 1), 1)
        _warmed.add(workload)


@lru_cache(maxsize=1)  # a process serves one run after another, many rounds each
def _problem(workload: Workload) -> Problem:
    keep_freed_memory()
    return problem_of(workload)
