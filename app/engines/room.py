"""Whether a run fits into a GPU's memory, counted before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.errors import ConfigError
from signfed.app.task import Problem
from signfed.app.task.ways import WHOLE
from signfed.attacks import knows
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.strategy import RobustStrategy

GB = 1e9
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
        What the forward pass of all batches keeps for the backward pass.
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
    config: RunConfig, rule: RobustStrategy, problem: Problem, *, by_blocks: bool, card: int
) -> Room:
    """Count what a run keeps on its device.

    Parameters
    ----------
    config : RunConfig
    rule : RobustStrategy
        Of the run.
    problem : Problem
        Its model and its data.
    by_blocks : bool
        Whether gradients are handed over parameter by parameter, so that signs are packed without
        a matrix of floats.
    card : int
        Bytes of the device. Passes are cut so that the batches of one take half of them at most,
        or those of one worker.

    Returns
    -------
    Room
    """
    edges, federation = problem.edges, config.federation(rule)
    n, asked = edges[-1], federation.participation.count
    attack, byzantine = built(config.attack), len(config.byzantine_ids)
    largest = max(high - low for low, high in pairwise(edges))
    seen = byzantine if attack.stage == "gradient" and attack.name != "none" else 0
    if seen and knows(attack.knowledge, "omniscient"):
        seen = asked
    honest = asked - byzantine if attack.stage == "message" and attack.knowledge != "own" else 0
    if isinstance(federation.codec, SignCodec):
        rows = 2 * asked * -(-n // 8)  # a second time while votes are counted
        whole = not by_blocks or seen == asked
        gradients = 4 * (asked * n if whole else seen * n + 2 * asked * largest)
        if not whole and 4 * asked * n <= card // WHOLE:  # as one block, the graph's and a copy
            gradients += 2 * 4 * asked * n
        gradients += 4 * n * (honest + byzantine)
    else:
        rows = 4 * asked * n * 2  # the rule may order or centre them
        gradients = 4 * n * (byzantine + (asked if seen == asked else 0))
    memory = getattr(problem, "memory", None)  # a quadratic has neither network nor data
    activations, data = memory(asked) if memory else (0, 0)
    one, _ = memory(1) if memory else (0, 0)
    half = 0.6 if config.workload.precision == "bfloat16" else 1.0
    passed = min(half * activations, max(card / 2, half * one))
    return Room(rows, gradients, int(passed), 4 * MODELS * n + data)


def check_room(room: Room, free: int, workers: int) -> None:
    """Raise ConfigError when a run does not fit.

    Parameters
    ----------
    room : Room
        What it takes.
    free : int
        Bytes that are free on the device.
    workers : int
        Of a round, for the message.
    """
    if room.total <= free:
        return
    parts = {
        f"what {workers} workers send": room.rows,
        "their gradients": room.gradients,
        "the forward pass of their batches": room.activations,
        "model and data": room.rest,
    }
    said = ", ".join(f"{name} {size / GB:.1f}" for name, size in parts.items())
    remedy = {
        "their gradients": "a rule on signs under an attack that sees its own row alone",
        "the forward pass of their batches": "a smaller batch-size or precision='bfloat16'",
    }.get(max(parts, key=lambda name: parts[name]), "a rule on signs (encoder 'sign')")
    raise ConfigError(
        f"device: this run takes about {room.total / GB:.1f} GB of the GPU's memory ({said}), and "
        f"{free / GB:.1f} GB are free; expected fewer num-workers, {remedy}, or device='cpu'"
    )


def free_and_total() -> tuple[int, int]:
    """Return the bytes of GPU memory that this process can still take, and all there are."""
    free, total = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated(), total
