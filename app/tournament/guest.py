"""A submission's process: fenced in, it loads the file and answers the referee until it is told."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch

from signfed.app.tournament.entries import Entry
from signfed.app.tournament.fence import Limits, close_in
from signfed.app.tournament.frames import Arrays, Said, pack, read
from signfed.attacks.core.attack import Attack
from signfed.attacks.core.past import Past
from signfed.attacks.core.view import View
from signfed.strategies.core.own import reason
from signfed.strategies.core.rule import direction_of
from signfed.strategies.core.updates import Updates
from signfed.strategies.registry import build
from signfed.strategies.server.strategy import RobustStrategy

Answer = tuple[Said, Arrays]
Serve = Callable[[Said, Arrays], Answer]
MOST_OPEN = 1 << 16  # descriptors that are looked for
OPEN = {"rule": "class that extends RobustStrategy", "attack": "function under @signfed.attack"}


def main(entry: Entry, limits: Limits, scratch: str, line: socket.socket) -> None:
    """Serve one match.

    Parameters
    ----------
    entry : Entry
        What is submitted.
    limits : Limits
    scratch : str
        A folder of its own.
    line : socket
        To the referee.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the referee decides
    silent = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silent, standard)
    _close_all_but(line.fileno())
    torch.set_num_threads(1)
    stands: Said = dict(close_in(limits, scratch))
    serve: Serve | None = None
    stream = line.makefile("rwb")

    def take(count: int) -> bytes:
        found = stream.read(count)
        if len(found) < count:
            os._exit(0)  # the referee is done
        return found

    def answer_with(frame: bytes) -> None:
        stream.write(frame)
        stream.flush()

    answer_with(pack(stands, {}))  # it is up, and has not seen the submission yet
    while True:
        said, arrays = read(take)
        try:
            found: Arrays = {}
            if serve:
                answer, found = serve(said, arrays)
            else:
                serve, answer = _begin(entry, said)
            frame = pack(answer, found)
        except BaseException as error:  # whatever a submission does, sys.exit() too
            frame = pack({"error": reason(error)}, {})
        answer_with(frame)


def _close_all_but(line: int) -> None:
    """What was inherited leads to the server that forks processes, and a byte there ends it."""
    os.closerange(3, line)
    os.closerange(line + 1, MOST_OPEN)


def _begin(entry: Entry, said: Said) -> tuple[Serve, Said]:
    found = loaded(entry)
    if isinstance(found, Attack):
        keeps = {"knowledge": found.knowledge, "stage": found.stage, "truth": found.truth,
                 "past": found.past, "rule": found.rule}  # fmt: skip
        return _crafting(found), keeps
    rule = build(found, n_byzantine=said["n_byzantine"], seed=said["seed"])
    rule.check(said["num_workers"], said["num_rounds"])
    asks = {"encoder": rule.encoder, "needs_reference": rule.needs_reference, "coded": rule.coded}
    return _aggregating(rule), asks


def loaded(entry: Entry) -> Any:
    """Return the class or the attack that a file defines.

    Parameters
    ----------
    entry : Entry
        The file.

    Raises
    ------
    ValueError
        When there is not exactly one of its kind in it.
    """
    module = ModuleType(f"submission_{entry.name}")  # json.py hides nothing
    sys.modules[module.__name__] = module
    exec(compile(entry.source, f"{entry.name}.py", "exec"), module.__dict__)

    def its_own(each: Any) -> bool:
        if entry.kind == "attack":
            return isinstance(each, Attack) and each.function.__module__ == module.__name__
        return (
            isinstance(each, type)
            and issubclass(each, RobustStrategy)
            and each.__module__ == module.__name__
        )

    named = {id(each): (name, each) for name, each in vars(module).items() if its_own(each)}
    if len(named) != 1:
        names = ", ".join(name for name, _ in named.values()) or "none"
        raise ValueError(f"expected one {OPEN[entry.kind]} in the file; found {names}")
    return next(iter(named.values()))[1]


def _aggregating(rule: RobustStrategy) -> Serve:
    def aggregate(said: Said, arrays: Arrays) -> Answer:
        own = arrays.get("reference")
        updates = Updates(
            torch.from_numpy(arrays["ids"].copy()), said["round"], said["n"],
            torch.from_numpy(arrays["rows"].copy()), said["signs"], said["magnitude"],
            None if own is None else torch.from_numpy(own.copy()), tuple(said["edges"]),
        )  # fmt: skip
        return {}, {"direction": direction_of(rule, updates).detach().numpy()}

    return aggregate


def _crafting(attack: Attack) -> Serve:
    def craft(said: Said, arrays: Arrays) -> Answer:
        arrays = {name: array.copy() for name, array in arrays.items()}  # it may write to them
        past = None
        if "model" in arrays:
            prefix = "memory."
            memory = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            past = Past(arrays["model"], arrays["direction"], memory, said["secret"])
        view = View(
            arrays["own"], tuple(_generator(state) for state in said["generators"]),
            said["n_total"], server_round=said["round"], honest=arrays.get("honest"),
            truth=arrays.get("truth"), past=past,
        )  # fmt: skip
        rows = attack(view)
        kept = {f"memory.{name}": np.asarray(a) for name, a in past.memory.items()} if past else {}
        return {}, {"rows": np.asarray(rows), **kept}

    return craft


def _generator(state: Said) -> np.random.Generator:
    bits = np.random.PCG64(0)
    bits.state = cast(Any, state)
    return np.random.Generator(bits)
