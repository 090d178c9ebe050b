"""What the workers of the local engine remember, among the state of a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from signfed.clients import HonestClient
from signfed.strategies.core.rule import State


def state_of_memories(clients: Sequence[HonestClient]) -> State:
    """Return what workers remember, by `worker-3.momentum` and the like; copies on the CPU.

    Parameters
    ----------
    clients : sequence of HonestClient
        All workers.
    """
    return {
        # A copy each: colluders share what they remember, and a checkpoint holds no tensor twice.
        f"worker-{client.worker}.{name}": torch.as_tensor(value).cpu().clone()
        for client in clients
        for name, value in client.memory.items()
    }


def load_memories(clients: Sequence[HonestClient], state: State) -> None:
    """Put back what `state_of_memories` returned; all else in the state is not looked at.

    Parameters
    ----------
    clients : sequence of HonestClient
        All workers, by id.
    state : dict of Tensor
    """
    for key, value in state.items():
        worker, _, name = key.removeprefix("worker-").partition(".")
        if key.startswith("worker-"):
            clients[int(worker)].memory[name] = value.numpy()
