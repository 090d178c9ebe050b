"""A rule and an attack that are somewhere else: what the engine calls, and what is sent for it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signfed.app.tournament.host import Host, Lost
from signfed.attacks import Attack, Knowledge, View, knows
from signfed.clients import ENCODERS
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops import bits
from signfed.strategies.server.strategy import RobustStrategy

REACH: Knowledge = "omniscient"  # the most that an attack can know: never the server's rule


class RemoteRule(RobustStrategy):
    """Asks a submission's process for the direction of each round.

    The submission sees each tensor's coordinates in a secret order: the data are public, and a rule
    that knew which coordinate is which could train on the test set and ignore the workers.

    Parameters
    ----------
    host : Host
        A rule's.
    n_byzantine, seed, num_workers, num_rounds : int
        Of the match; the seed is not the run's.
    secret : int
        What the order is drawn from.

    Raises
    ------
    Lost
        When the submission cannot be loaded or does not admit such a match.
    """

    def __init__(
        self,
        host: Host,
        n_byzantine: int,
        seed: int,
        num_workers: int,
        num_rounds: int,
        secret: int,
    ) -> None:
        self._host, self._secret = host, secret
        match = {"n_byzantine": n_byzantine, "seed": seed, "num_workers": num_workers,
                 "num_rounds": num_rounds}  # fmt: skip
        asks, _ = host.ask(match, {})
        encoder = asks.get("encoder")
        if encoder not in [*ENCODERS] or encoder == "top-k" or asks.get("coded"):
            raise Lost(host.entry, f"asks for {encoder!r} or coded votes, not played here")
        self.encoder = encoder
        self.needs_reference = bool(asks.get("needs_reference"))

    def aggregate(self, updates: Updates) -> Tensor:
        """Return the submission's direction, float32 [N]; raises Lost."""
        n, rows = updates.n_coordinates, updates.rows.numpy()
        order = secret_order(self._secret, updates.layers)
        if updates.on_sign_channel:
            rows = bits.pack(bits.unpack(rows, n)[:, order])
        else:
            rows = rows[:, order]
        arrays = {"ids": updates.ids.numpy(), "rows": rows}
        if updates.reference is not None:
            arrays["reference"] = updates.reference.numpy()[order]
        said = {"round": updates.server_round, "n": n, "edges": updates.edges,
                "signs": updates.on_sign_channel, "magnitude": updates.magnitude}  # fmt: skip
        _, found = self._host.ask(said, arrays)
        direction = found.get("direction", np.empty(0, np.float32))
        if direction.shape != (n,) or direction.dtype != np.float32:
            raise Lost(self._host.entry, f"returned a direction of shape {direction.shape}")
        if not np.isfinite(direction).all():
            raise Lost(self._host.entry, "returned NaN or infinity")
        ordered = np.empty_like(direction)
        ordered[order] = direction
        return torch.from_numpy(ordered)


def derived(secret: int, purpose: str) -> int:
    """Return a number that a secret gives and that does not give the secret back, below 2^62.

    Parameters
    ----------
    secret : int
    purpose : str
        Another one gives another number.
    """
    return int.from_bytes(sha256(f"{purpose} {secret}".encode()).digest()[:8]) >> 2


def secret_order(secret: int, edges: Sequence[int]) -> np.ndarray:
    """Return the order in which a submission sees the coordinates, int64 [N].

    Parameters
    ----------
    secret : int
    edges : sequence of int
        Between the tensors, from 0 to N; each keeps its own coordinates.
    """
    random = generator(derived(secret, "order"), "order")
    return np.concatenate([a + random.permutation(b - a) for a, b in pairwise(edges)])


def remote_attack(host: Host) -> Attack:
    """Return an attack that asks a submission's process for the rows of each round.

    It gets what a `View` of its declared knowledge holds, and nothing else.

    Parameters
    ----------
    host : Host
        An attack's.

    Raises
    ------
    Lost
        When the submission cannot be loaded, or declares more than can be known here.
    """
    asks, _ = host.ask({}, {})
    try:
        knowledge, stage = asks["knowledge"], asks["stage"]
        truth, past = bool(asks["truth"]), bool(asks["past"])
        too_much = asks["rule"] or not knows(REACH, knowledge)
        sees_honest = knows(knowledge, "omniscient")
    except (KeyError, TypeError, ValueError) as error:
        raise Lost(host.entry, f"declares what is no attack: {error!r}") from None
    if too_much:
        raise Lost(host.entry, f"asks for more than can be known here, {REACH!r} without the rule")
    if stage not in ["gradient", "message"]:
        raise Lost(host.entry, "changes data; attacks on the gradient or the message play here")

    def remote(view: View) -> np.ndarray:
        arrays, said = {"own": view.own}, _of(view)
        if sees_honest:
            arrays["honest"] = view.honest
        if truth:
            arrays["truth"] = view.truth
        if past:
            said["secret"] = derived(view.past.secret, "colluders")  # which is the run's seed
            memory = {f"memory.{name}": array for name, array in view.past.memory.items()}
            arrays |= {"model": view.past.model, "direction": view.past.direction, **memory}
        _, found = host.ask(said, arrays)
        rows = found.pop("rows", np.empty(0, np.float32))
        if rows.shape != view.own.shape or rows.dtype != view.own.dtype:
            raise Lost(host.entry, f"returned rows of shape {rows.shape}, {rows.dtype}")
        if not np.isfinite(rows).all():
            raise Lost(host.entry, "returned NaN or infinity")
        if past:
            view.past.memory.update(
                {name.removeprefix("memory."): array.copy() for name, array in found.items()}
            )
        return rows

    return Attack(remote, knowledge, stage, truth, past)


def _of(view: View) -> dict[str, Any]:
    states = [each.bit_generator.state for each in view.generators]
    return {"round": view.server_round, "n_total": view.n_total, "generators": states}
