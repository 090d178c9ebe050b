"""Whether a run fits into a GPU's memory, counted before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.engines.rule_room import bytes_of_rows
from signfed.app.errors import ConfigError
from signfed.app.task import Problem
from signfed.app.task.activations import SHARE
from signfed.app.task.card import card_bytes, share
from signfed.app.task.many import Way
from signfed.app.task.shared.graph import KEPT
from signfed.app.task.ways import WHOLE
from signfed.attacks import knows
from signfed.clients.at_once import can_be_at_once
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.strategy import RobustStrategy

GB = 1e9
CONTEXT = 600_000_000  # bytes that CUDA and its libraries take in each process
# Copies of the model that are about at once: parameters, direction, momentum, the step's own.
MODELS = 8


@dataclass(frozen=True)
class Room:
    """Bytes of a GPU's memory that a run takes at its peak, an estimate.

    Attributes
    ----------
    rows : int
        What workers send, as signs or as floats, with what the rule makes of it on the way.
    gradients : int
        Float gradients that exist at once besides.
    activations : int
        What the forward pass of all batches keeps for the backward pass, and the windows of
        convolutions that this writes down.
    rest : int
        The model several times over, and the data.
    """

    rows: int
    gradients: int
    activations: int
    rest: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.rows + self.gradients + self.activations + self.rest


def room_of(
    config: RunConfig, rule: RobustStrategy, problem: Problem, *, way: Way, card: int
) -> Room:
    """Count what a run of the local engine keeps on its device.

    Parameters
    ----------
    config : RunConfig
    rule : RobustStrategy
        Of the run.
    problem : Problem
        Its model and its data.
    way : {"auto", "shared", "vmap", "loop"}
        How gradients are computed. "auto" counts as "shared", which a GPU takes where it can, but
        with several local steps as "vmap".
    card : int
        Bytes of the device. Passes of "shared" are cut so that the batches of one take half of
        them at most, or those of one worker; no other way is cut.

    Returns
    -------
    Room
    """
    n, federation = problem.edges[-1], config.federation(rule)
    asked, workers = federation.participation.count, federation.num_workers
    way = _counted_as(way, config)
    passed, graphs = _passed(config, problem, asked, way, card)
    rest = 4 * MODELS * n + problem.memory(asked)[1]
    encoder = config.build_encoder(federation.encoder)
    here = not (encoder.prepare or encoder.feedback or config.worker_momentum)
    if way == "loop":  # rows are made on the CPU
        return Room(0, 2 * 4 * n, passed, rest)
    on_signs = isinstance(federation.codec, SignCodec)
    rows = bytes_of_rows(rule, asked, workers, n, on_signs=on_signs) if here else 0
    attack, byzantine = built(config.attack), len(config.byzantine_ids)
    seen = byzantine if attack.stage == "gradient" and attack.name != "none" else 0
    if seen and knows(attack.knowledge, "omniscient"):
        seen = asked
    honest = asked - byzantine if attack.stage == "message" and attack.knowledge != "own" else 0
    matrix, largest = 4 * asked * n, max(high - low for low, high in pairwise(problem.edges))
    gradients = 4 * n * (honest + byzantine)
    if way == "vmap":  # by parameter, and then as one; of several steps also models and sums
        made = matrix * (2 if config.workload.local.count == 1 else 4)
    else:
        made = 2 * 4 * asked * largest
        at_once = can_be_at_once(attack, asked == workers)
        by_blocks = on_signs and here and at_once and seen < asked
        if not by_blocks or matrix <= card // WHOLE:
            made += (1 + graphs) * matrix
            passed *= max(1, graphs + (graphs > 1))  # and of a round that has none
        if on_signs and seen == asked:  # an attack gets the honest rows as a matrix of their own
            made += 4 * n * (asked - byzantine)
        if by_blocks:
            gradients += 4 * seen * n
    if not on_signs and here:  # what comes is what the rule gets
        made -= matrix
        gradients += matrix if seen == asked else 0
    return Room(rows, gradients + made, passed, rest)


def room_of_node(
    config: RunConfig, problem: Problem, *, supernodes: int, card: int
) -> tuple[Room, int]:
    """Count what a node of Flower keeps on its device, where it makes rows on the CPU.

    Parameters
    ----------
    config : RunConfig
    problem : Problem
        Its model and its data.
    supernodes : int
        Nodes of the run.
    card : int
        Bytes of the device that are the node's.

    Returns
    -------
    room : Room
    workers : int
        Those whose gradients it computes: all where an attack looks at others.
    """
    n, everyone = problem.edges[-1], config.workload.num_workers
    looks_around = config.byzantine_ids and built(config.attack).knowledge != "own"
    workers = everyone if looks_around else -(-everyone // supernodes)
    way = _counted_as(config.workload.gradients, config)
    if config.participation.count < everyone:
        way, workers = "loop", 1
    passed, graphs = _passed(config, problem, workers, way, card)
    rest = 4 * MODELS * n + problem.memory(workers)[1] + CONTEXT
    matrices = {"loop": 0, "vmap": 2}.get(way, 1 + graphs) * workers
    passed *= max(1, graphs + (graphs > 1))
    return Room(0, 4 * n * max(2, matrices), passed, rest), workers


def _counted_as(way: Way, config: RunConfig) -> Way:
    if way in ("auto", "shared"):
        return "shared" if config.workload.local.count == 1 else "vmap"
    return way


def _passed(
    config: RunConfig, problem: Problem, workers: int, way: Way, card: int
) -> tuple[int, int]:
    """Bytes of a pass, and how many CUDA graphs are kept, as `SharedGradients` does."""
    activations, one = problem.memory(workers)[0], problem.memory(1)[0]
    share = 0.6 if config.workload.precision == "bfloat16" else 1.0
    if way == "loop":
        return int(share * one), 0
    if way == "vmap":
        return int(share * activations), 0
    everyone = workers == config.workload.num_workers
    fit = activations * (1 if everyone else KEPT + 1) <= SHARE * card
    passed = min(share * activations, max(SHARE * card, share * one))
    if config.workload.precision != "bfloat16":
        passed += problem.windows(workers)
    return int(passed), (1 if everyone else KEPT) if fit else 0


def check_room(room: Room, free: int, workers: int, *, of_node: bool = False) -> None:
    """Raise ConfigError when a run does not fit.

    Parameters
    ----------
    room : Room
        What it takes.
    free : int
        Bytes that are free on the device.
    workers : int
        Of a round, for the message.
    of_node : bool
        Whether this is a node's share.
    """
    if room.total <= free:
        return
    parts = {
        f"what {workers} workers send": room.rows,
        f"gradients of {workers} workers": room.gradients,
        "the forward pass of their batches": room.activations,
        "model and data": room.rest,
    }
    said = ", ".join(f"{name} {size / GB:.1f}" for name, size in parts.items() if size)
    rows, gradients, passed, _ = parts
    remedies = {
        rows: "a rule on signs (encoder 'sign')",
        gradients: "a rule on signs under an attack that sees its own row alone",
        passed: "a smaller batch-size or precision='bfloat16'",
    }
    if of_node:
        remedies = {passed: remedies[passed]}
    largest = max(parts, key=lambda name: parts[name])
    what, room_for_it = ("each node", "are its share") if of_node else ("this run", "are free")
    expected = [
        "more --supernodes, a larger --gpus-per-client" if of_node else "fewer num-workers",
        remedies.get(largest, "" if of_node else remedies[rows]), "or device='cpu'",
    ]  # fmt: skip
    raise ConfigError(
        f"device: {what} takes about {room.total / GB:.1f} GB of the GPU's memory ({said}), and "
        f"{free / GB:.1f} GB {room_for_it}; expected {', '.join(filter(None, expected))}"
    )


def free_and_total() -> tuple[int, int]:
    """Return the bytes of GPU memory that this process can still take, and all that are its."""
    free, _ = torch.cuda.mem_get_info()
    total = card_bytes()
    mine = total - CONTEXT if share() < 1 else total  # a neighbour's share is not to hold it
    return min(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated(), mine), total
