"""The server and the node with one check removed each: what the simulator has to find.

A variant is a context in which the code is broken. `found.py` holds the first seed that finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from signfed.app.node import memory
from signfed.app.runs import checkpoint, json_files, recorder, resuming
from signfed.app.runs.folder import RunFolder
from signfed.clients import replica
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import link, wire
from signfed.strategies.server.transport.downlink import Downlink
from signfed.strategies.server.transport.intake import Intake, Received
from signfed.strategies.server.transport.reception import Reception
from signfed.strategies.server.transport.roster import Roster
from tests.simulation.broken_public import OF_PUBLIC
from tests.simulation.seams import Under, WatchedLink


def _silence_is_forgotten() -> AbstractContextManager[Any]:
    """A worker whose node says nothing is in no place of the record."""
    whole = Intake.open

    def open_(self: Intake, *arguments: Any) -> Received:
        received = whole(self, *arguments)
        received.dropped = {w: r for w, r in received.dropped.items() if r != "no-reply"}
        return received

    return patch.object(Intake, "open", open_)


def _nobody_waits_for_a_partition() -> AbstractContextManager[Any]:
    """A worker that another node hosts is bound once more."""
    whole = Roster.claim

    def claim(self: Roster, node: int, partition: int, of: int, connected: object) -> Any:
        kept = dict(self._workers)
        workers = whole(self, node, partition, of, connected=())
        self._workers = kept | self._workers
        return workers

    return patch.object(Roster, "claim", claim)


def _rows_count_twice() -> AbstractContextManager[Any]:
    """What a node sends is used once for each of its replies."""
    whole = WatchedLink.exchange

    def exchange_(self: WatchedLink, requests: Any) -> Any:
        self.incoming = whole(self, requests)
        return self.incoming

    made = Updates.from_rows.__func__  # type: ignore[attr-defined]

    def from_rows(cls: type[Updates], rows: Mapping[int, Any], *arguments: Any) -> Updates:
        found = made(cls, rows, *arguments)
        again = [*range(found.n), 0] if found.server_round % 3 == 0 else [*range(found.n)]
        return Updates(
            found.ids[again], found.server_round, found.n_coordinates, found.rows[again],
            found.on_sign_channel,
        )  # fmt: skip

    @contextmanager
    def broken() -> Iterator[None]:
        from signfed.strategies.server.transport import packed_rows

        class Twice(Updates):
            pass

        Twice.from_rows = classmethod(from_rows)  # type: ignore[assignment]
        with (
            patch.object(WatchedLink, "exchange", exchange_),
            patch.object(packed_rows, "Updates", Twice),
        ):
            yield

    return broken()


def _steps_are_kept_for_good() -> AbstractContextManager[Any]:
    """The server's memory grows with the rounds."""
    whole = Downlink.stepped

    def stepped(self: Downlink) -> None:
        room = self._model_bytes
        self._model_bytes = lambda: 1 << 40  # type: ignore[method-assign]
        whole(self)
        self._model_bytes = room  # type: ignore[method-assign]

    return patch.object(Downlink, "stepped", stepped)


def _state_without_the_rule() -> AbstractContextManager[Any]:
    """A checkpoint lacks what the rule remembers; so a resumed run is another."""
    whole = Training.state_dict

    def state_dict(self: Training) -> Any:
        state = whole(self)
        return {n: t for n, t in state.items() if not n.startswith("rule.") or _of_the_model(self)}

    return patch.object(Training, "state_dict", state_dict)


@contextmanager
def _all_has_ended() -> Iterator[None]:
    """Whoever resumes a run reads that it has finished."""
    with ExitStack() as stack:
        for module in (recorder, resuming):
            stack.enter_context(
                patch.object(module, "read_summary", lambda path: {"status": "finished"})
            )
        yield


def _of_the_model(training: Training) -> bool:
    return training is Under.simulation.model.training


VARIANTS: dict[str, tuple[str, Any]] = {
    **OF_PUBLIC,
    "a silent node's workers are left out": ("places", _silence_is_forgotten),
    "one row is aggregated twice": ("twice", _rows_count_twice),
    "two nodes may host one partition": ("record", _nobody_waits_for_a_partition),
    "any sender will do": (
        "record", lambda: patch.object(wire, "is_from", lambda reply, node: True),
    ),
    "the round of a reply is not compared": (
        "record",
        lambda: patch.object(
            wire, "_read_rows", _without_rounds(wire._read_rows)
        ),
    ),
    "a node whose question is lost is not asked again": (
        "wait", lambda: patch.object(Reception, "_hear", _for_good(Reception._hear)),
    ),
    "a claim is heard once": ("record", lambda: patch.object(Reception, "_bind", _once)),
    "a question that is rejected counts as asked": (
        "wait", lambda: patch.object(Reception, "_ask", _all_are_asked(Reception._ask)),
    ),
    "an answer that never comes is waited for": (
        "wait", lambda: patch.object(Reception, "_ask", _patient(Reception._ask)),
    ),
    "a round has no deadline": (
        "wait", lambda: patch.object(link, "replies", _endless(link.replies)),
    ),
    "a doubled request advances what workers remember": (
        "node", lambda: patch.object(memory, "answered", lambda *arguments: None),
    ),
    "a node does not compare digests or versions": (
        "node", lambda: patch.object(replica, "replayed", _trusting),
    ),
    "steps are kept for good": ("memory", _steps_are_kept_for_good),
    "a checkpoint without the rule's state": ("model", _state_without_the_rule),
    "a checkpoint is not flushed": (
        "resume", lambda: patch.object(checkpoint, "_flushed", _unflushed),
    ),
    "rounds.jsonl is not flushed before a checkpoint": (
        "resume", lambda: patch.object(RunFolder, "flush", lambda self: None),
    ),
    "a file is replaced before it is on the disk": (
        "resume", lambda: patch.object(json_files, "write_flushed", _written),
    ),
    "a run without rounds left is not ended": ("resume", _all_has_ended),
    "old checkpoints go before the new one is there": (
        "resume", lambda: patch.object(checkpoint, "write", _first_removed(checkpoint.write)),
    ),
}  # fmt: skip


def _without_rounds(whole: Any) -> Any:
    def read(reply: Any, workers: Any, codec: Any, n: int, server_round: int) -> Any:
        if not reply.has_error() and "workers" in reply.content:
            server_round = reply.content["workers"]["round"]
        return whole(reply, workers, codec, n, server_round)

    return read


def _once(self: Reception, node: int, claim: tuple[int, int]) -> None:
    if node in self._connected and node not in self._claims:
        self._claims[node] = claim
        try:
            self.roster.claim(node, *claim, connected=self._connected)
        except ValueError:
            return


def _all_are_asked(whole: Any) -> Any:
    def ask(self: Reception, grid: Any, nodes: list[int], until: float) -> None:
        whole(self, grid, nodes, until)
        self._asked |= dict.fromkeys(nodes, float("inf"))

    return ask


def _for_good(whole: Any) -> Any:
    def hear(self: Reception, node: int, reply: Any) -> None:
        whole(self, node, reply)
        self._asked[node] = float("inf")

    return hear


def _patient(whole: Any) -> Any:
    return lambda self, grid, nodes, until: whole(self, grid, nodes, float("inf"))


def _endless(whole: Any) -> Any:
    return lambda grid, pending, timeout: whole(grid, pending, float("inf"))


def _trusting(descent: Any, directions: Any, version: int, expected: str) -> Any:
    import torch

    from signfed.strategies.core.codecs import SignCodec

    for packed in directions:
        n = len(descent.parameters)
        descent.take(torch.from_numpy(SignCodec().decode(packed, n)))
    return descent


def _unflushed(file: Any, payload: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(payload)


def _written(stream: Any, text: str) -> None:
    stream.write(text)
    stream.flush()


def _first_removed(whole: Any) -> Any:
    def write(run: Any, state: Any) -> Any:
        for place in checkpoint.list_checkpoints(run):
            checkpoint.remove(place)
        return whole(run, state)

    return write
