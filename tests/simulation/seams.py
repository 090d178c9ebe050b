"""Where the simulation enters the server and the nodes: parts that are watched, modules simulated.

What is a pure function of its arguments is computed once: noise, digests, checked run configs, the
headers of arrays.
"""

from __future__ import annotations

import gc
import json
import logging
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from io import BytesIO
from math import prod
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

import numpy as np
import torch
from flwr.app import Array, Message
from flwr.app.message import message as flower_message

import signfed
from signfed.app.config.run_config import RunConfig, parse
from signfed.app.engines import prepare, run
from signfed.app.node import answers
from signfed.app.runs import checkpoint, claim, folder, json_files, recorder, resuming, saving
from signfed.app.runs.saving import Saver
from signfed.app.task.quadratic import Quadratic
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.seeds import generator
from signfed.strategies.core.updates import Updates
from signfed.strategies.server import drop_in, own_app
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.transport import exchange, reception, sampling
from signfed.strategies.server.transport.link import Link
from tests.simulation.clock import Clock
from tests.simulation.files import Os, Shutil, SimPath
from tests.simulation.outcome import Violation

DIMENSIONS = 19  # the last byte of a row of signs has padding
BOUND = 1 << 20  # bytes of one round's checks; docs/hostile.md
TIMED = (exchange, reception, sampling, saving, folder, claim)  # modules that read the clock


class Watcher(Protocol):
    """The run under way, as the watched parts know it."""

    weighed: bool  # whether the memory of each round is measured

    def received(self, updates: Updates | None, dropped: dict[DropReason, list[int]]) -> None: ...

    def after_round(self, record: dict[str, Any], state: State) -> None: ...

    def saved(self, server_round: int) -> None: ...


class Under:
    """The run under way, for the parts of the server that are watched."""

    simulation: Watcher
    clock: Clock


class WatchedLink(Link):
    """Shows the model what a round has received, and what the server holds then."""

    def open(
        self, server_round: int, incoming: Iterable[Message]
    ) -> tuple[Updates | None, RoundRecord]:
        weighed = Under.simulation.weighed
        if weighed:
            tracemalloc.start()
        try:
            updates, record = super().open(server_round, incoming)
            peak = tracemalloc.get_traced_memory()[1] if weighed else 0
        finally:
            if weighed:
                tracemalloc.stop()
        Under.simulation.received(updates, record.dropped)
        self._weigh(peak)
        return updates, record

    def _weigh(self, peak: int) -> None:
        kept = sum(step.nbytes for step in self._downlink._steps)
        room = self._downlink._model_bytes()
        waiting = len(self._overdue)
        if peak > BOUND or kept > room or waiting > 2 * len(self.asked):
            raise Violation(
                "memory",
                f"{peak} bytes in a round, {kept} of steps where a model has {room}, "
                f"{waiting} requests kept of {len(self.asked)}",
            )


class WatchedSaver(Saver):
    """Shows the model each record and state, before and after they are written."""

    def after_round(
        self, record: Mapping[str, Any], state: Callable[[], State], *, last: bool = False
    ) -> None:
        Under.simulation.after_round(dict(record), state())
        super().after_round(record, state, last=last)
        Under.simulation.saved(record["round"])


# -- pure functions, each computed once -----------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def noise(seed: int, purpose: str, scale: float, n: int, *keys: int) -> np.ndarray:
    """Normal numbers divided by `scale`, a function of all arguments."""
    draws = generator(seed, purpose, *keys)
    made = draws.standard_normal(n, dtype=np.float32) / np.float32(scale)
    made.flags.writeable = False
    return made


def _noisy(
    self: Quadratic, parameters: np.ndarray, samples: int, purpose: str, *keys: int
) -> np.ndarray:
    scale = float(np.float32(np.sqrt(samples)))
    return parameters + noise(self._workload.seed, purpose, scale, self.dimensions, *keys)


def _initial(self: Quadratic) -> torch.Tensor:
    return torch.from_numpy(noise(self._workload.seed, "initial", 1.0, self.dimensions).copy())


_digest_of = Quadratic.digest


@lru_cache(maxsize=64)
def _digests(seed: int, n: int) -> dict[str, str]:
    return _digest_of(Quadratic(answers.parse({"task": "quadratic", "seed": seed}).workload))


def _digest(self: Quadratic) -> dict[str, str]:
    return dict(_digests(self._workload.seed, self.dimensions))


@lru_cache(maxsize=16)  # of the server processes of a run, and their nodes
def _parsed(given: str) -> RunConfig:
    return parse(json.loads(given))


def checked(given: Mapping[str, Any]) -> RunConfig:
    """Return the checked run config; it is checked once for server and nodes."""
    return _parsed(json.dumps(dict(given), sort_keys=True))


@lru_cache(maxsize=256)
def _form(dtype: np.dtype, shape: tuple[int, ...]) -> tuple[str, bytes]:
    stream = BytesIO()
    np.save(stream, np.empty(shape, dtype))
    return str(dtype), stream.getvalue()[: stream.tell() - prod(shape) * dtype.itemsize]


_written = Array.from_numpy_ndarray


def _serialized(ndarray: np.ndarray) -> Array:
    """Flower's Array, as it makes it."""
    if not ndarray.flags.c_contiguous:
        return _written(ndarray)
    name, header = _form(ndarray.dtype, ndarray.shape)
    made = Array.__new__(Array)
    data = header + ndarray.tobytes()
    made.__dict__.update(dtype=name, shape=ndarray.shape, stype="numpy.ndarray", data=data)
    return made


_read = Array.numpy


def _deserialized(self: Array) -> np.ndarray:
    """The array in Flower's, where its bytes say what its fields do."""
    dtype = np.dtype(self.dtype)
    _, header = _form(dtype, self.shape)
    if self.data[: len(header)] != header or self.stype != "numpy.ndarray":
        return _read(self)
    payload = bytearray(self.data[len(header) :])
    if len(payload) != prod(self.shape) * dtype.itemsize:
        return _read(self)
    return np.frombuffer(payload, dtype).reshape(self.shape)


def _now() -> SimpleNamespace:
    return SimpleNamespace(timestamp=Under.clock.wall)


@contextmanager
def simulated() -> Iterator[None]:
    """Within the block the server's clock, disk and paths are simulated ones."""
    patches = [
        patch.object(Quadratic, "dimensions", DIMENSIONS),
        patch.object(Quadratic, "_noisy", _noisy),
        patch.object(Quadratic, "initial", _initial),
        patch.object(Quadratic, "digest", _digest),
        *(patch.object(module, "Link", WatchedLink) for module in (own_app, drop_in)),
        *(patch.object(module, "Saver", WatchedSaver) for module in (run, recorder)),
        # Put back what runs have set.
        patch.object(sampling, "REMEMBERED", sampling.REMEMBERED),
        patch.object(recorder, "EVERY", recorder.EVERY),
        patch.object(signfed, "report", lambda folder: folder),
        patch.object(checkpoint, "shutil", Shutil),
        patch.object(claim, "_locked", lambda folder: True),
        patch.object(flower_message, "now", _now),
        patch.object(Array, "from_numpy_ndarray", staticmethod(_serialized)),
        patch.object(Array, "numpy", _deserialized),
        *(patch.object(module, "parse", checked) for module in (prepare, answers)),
        *(patch.object(module, "Path", SimPath) for module in (prepare, recorder, resuming)),
        *(patch.object(m, "os", Os) for m in (checkpoint, claim, folder, json_files)),
        *(patch.object(m, "time", m.time) for m in TIMED),  # type: ignore[attr-defined]
    ]
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    collects = gc.isenabled()
    try:
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            gc.collect()
            gc.freeze()  # what is there stays, and is not looked through again and again
            gc.disable()
            yield
    finally:
        gc.unfreeze()
        if collects:
            gc.enable()
        logging.disable(disabled)
